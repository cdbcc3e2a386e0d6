// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace culvert::bench {

// Non-blocking sockets and an epoll, for the load programs. They share no code with the proxy, so
// that a fault in its rooms cannot hide in the tool that looks for it.
// Threads: any. Errors: what the machine cannot give (no descriptor, port taken) ends the program
// with a message; what a peer does comes back as errno.

[[noreturn]] void die(const std::string& what);

// Lifts the soft limit of descriptors to the hard one.
void raiseFileLimit();

// 127.0.0.1, as all addresses here: IPv4, in the host's byte order.
inline constexpr uint32_t kLoopback = 0x7f000001;

// Listens on `port` of `host` (0: of all); 0 takes a free one.
int listenOn(uint16_t port, uint32_t host = kLoopback);
uint16_t localPort(int fd);
// A port that was free a moment ago, and that the kernel gives to no connecting socket: where the
// listener goes for a while, a peer that connects to such a port might meet itself.
uint16_t freePort();

// Begins to connect, without Nagle's delay. Returns -1 with errno where the kernel refuses at once.
int connectTo(uint16_t port, uint32_t host = kLoopback);
// Connects and waits for it; the socket blocks.
int connectBlocking(uint16_t port, uint32_t host = kLoopback);
// The next connection, without Nagle's delay; -1 if none waits.
int acceptFrom(int listener);
// Closes so that the peer gets RST.
void reset(int fd);

void watch(int epoll, int op, int fd, uint32_t events);

int64_t nowNs();
// Between two looks at another process.
void pauseMs(int ms);

} // namespace culvert::bench
