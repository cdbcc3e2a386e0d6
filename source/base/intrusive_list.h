// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace culvert::base {

// A member of at most one IntrusiveList per Tag. Leaves its list when destroyed.
template <class Tag> class ListNode {
public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != nullptr; }

  void unlink() {
    if (!linked())
      return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

private:
  template <class T, class U> friend class IntrusiveList;

  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// A doubly linked list through its elements: no allocation, removal in constant time.
// Threads: one. Lifetime: borrows its elements.
template <class T, class Tag = T> class IntrusiveList {
public:
  using Node = ListNode<Tag>;

  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  ~IntrusiveList() {
    while (popFront() != nullptr) {
    }
    head_.next_ = head_.previous_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }

  void pushBack(T& element) {
    Node& node = element;
    node.unlink();
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    node.previous_->next_ = &node;
    head_.previous_ = &node;
  }

  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }

  T* popFront() {
    T* const first = front();
    if (first != nullptr)
      static_cast<Node*>(first)->unlink();
    return first;
  }

  // Takes all of `other`'s elements; `other` is empty afterwards.
  void splice(IntrusiveList& other) {
    while (T* element = other.popFront())
      pushBack(*element);
  }

  template <class F> void forEach(F visit) {
    for (Node* node = head_.next_; node != &head_;) {
      Node* const next = node->next_; // The visitor may unlink its element.
      visit(*static_cast<T*>(node));
      node = next;
    }
  }

private:
  Node head_;
};

} // namespace culvert::base
