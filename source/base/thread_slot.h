// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace culvert::base {

// Which of the process's fixed data threads this is: 0 = main, 1..N = workers. Set once, by the
// thread itself, before it touches anything that is kept per thread. Helper threads, which leave
// it 0, must not touch such things.
inline thread_local uint32_t thread_slot = 0;

} // namespace culvert::base
