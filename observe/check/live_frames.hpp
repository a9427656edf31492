// The frames that deliveries have pushed and that nobody has returned through yet, with what a rule keeps for each.
//
// A frame is known by its linear address (see machine/cpu/probe.hpp), never by depth: schedulers change stacks in
// between. An IRET at another address that pops the same words leaves it too (a moved frame).
#pragma once

#include <array>
#include <map>

#include "machine/cpu/cpu.hpp"
#include "machine/cpu/probe.hpp"

namespace vitrine {

/// A frame's words as they lie in memory, the instruction pointer first.
struct FrameWords {
  static constexpr u8 most = 9;
  std::array<u64, most> word{};
  u8 count = 0;

  [[nodiscard]] u64 ip() const { return word[0]; }
  [[nodiscard]] u16 code() const { return static_cast<u16>(word[1]); }
  [[nodiscard]] u32 flags() const { return static_cast<u32>(word[2]); }
  /// Does IRET go to the same place on the same stack? Flags apart: a handler may change them there.
  [[nodiscard]] bool same_context(const FrameWords& other) const;
  bool operator==(const FrameWords&) const = default;
};

/// Reads `count` words of `size` bytes (2, 4 or 8). False: not all of it is RAM.
[[nodiscard]] bool peek_words(const Cpu& cpu, u64 linear, u8 size, u8 count, FrameWords& into);

/// A device's interrupt or an NMI: the interrupted code did not ask for it.
[[nodiscard]] inline bool asynchronous(DeliveryKind kind) {
  return kind == DeliveryKind::External || kind == DeliveryKind::Nmi;
}
/// Did it interrupt, and does it enter, code that rules are about: protected mode, no virtual-8086 mode, no task gate?
[[nodiscard]] bool within_kernel_phase(const Cpu& cpu, const ProbedDelivery& delivery);

struct LiveFrameBase {
  ProbedDelivery delivery;
  FrameWords pushed;
  u64 handler = 0;  ///< linear address of its first instruction
  u64 cr3 = 0;
  u64 order = 0;              ///< of its push
  bool words_known = false;   ///< the frame could be read
  bool foreign_left = false;  ///< someone returned through an older frame since: see LiveFrames::other_ran()
};

class LiveFrameOrder {
 public:
  /// Fills in what all frames have.
  void begin(LiveFrameBase& frame, const Cpu& cpu, const ProbedDelivery& delivery);
  [[nodiscard]] u64 last() const { return order_; }

 private:
  u64 order_ = 0;
};

template <class Kept>
class LiveFrames {
 public:
  struct Frame : LiveFrameBase {
    Kept kept;
  };
  static constexpr std::size_t most = 128;  ///< the oldest goes first: those that nobody ever returns through

  Frame& push(const Cpu& cpu, const ProbedDelivery& delivery) {
    if (frames_.size() == most && !frames_.contains(delivery.frame)) drop_oldest();
    Frame& frame = frames_[delivery.frame] = {};
    order_.begin(frame, cpu, delivery);
    return frame;
  }
  [[nodiscard]] Frame* find(u64 address) {
    const auto found = frames_.find(address);
    return found == frames_.end() ? nullptr : &found->second;
  }
  /// The frame that an IRET at `address` leaves: the one there, else one whose words it pops. Null: none.
  [[nodiscard]] Frame* match(const Cpu& cpu, const ProbedReturn& iret) {
    if (Frame* frame = find(iret.frame)) return frame;
    if (frames_.empty()) return nullptr;
    FrameWords words;
    u8 read = 0;
    for (auto& [address, frame] : frames_) {
      if (!frame.words_known || frame.delivery.slot_size != iret.operand_size) continue;
      if (read != frame.pushed.count && !peek_words(cpu, iret.frame, iret.operand_size, frame.pushed.count, words))
        continue;
      read = frame.pushed.count;
      if (words == frame.pushed) return &frame;
    }
    return nullptr;
  }
  /// Pushed last of those within `distance` bytes of an address.
  [[nodiscard]] Frame* newest_near(u64 address, u64 distance) {
    Frame* found = nullptr;
    const u64 lowest = address < distance ? 0 : address - distance;
    for (auto at = frames_.lower_bound(lowest); at != frames_.end(); ++at) {
      if (at->first > address && at->first - address > distance) break;
      if (found == nullptr || at->second.order > found->order) found = &at->second;
    }
    return found;
  }
  /// Someone returns through it. Frames that were pushed later and are still there belong to others.
  void leave(const Frame& left) {
    const u64 order = left.order;
    frames_.erase(left.delivery.frame);
    for (auto& [address, frame] : frames_) frame.foreign_left = frame.foreign_left || frame.order > order;
  }
  /// The handler was left, or the kernel, by another way than a frame that is known.
  void left_otherwise() { left_otherwise_at_ = order_.last(); }
  /// Has code run since that is not nested in this frame?
  [[nodiscard]] bool other_ran(const Frame& frame) const {
    return frame.foreign_left || frame.order <= left_otherwise_at_;
  }
  /// The lowest one at `address` or above it, at most `distance` bytes away: whose handler runs with this stack
  /// pointer.
  [[nodiscard]] Frame* next_above(u64 address, u64 distance) {
    const auto found = frames_.lower_bound(address);
    return found == frames_.end() || found->first - address > distance ? nullptr : &found->second;
  }
  /// In order of their addresses.
  template <class Do>
  void for_each(Do&& each) const {
    for (const auto& [address, frame] : frames_) each(frame);
  }
  [[nodiscard]] bool empty() const { return frames_.empty(); }

 private:
  void drop_oldest() {
    auto oldest = frames_.begin();
    for (auto at = frames_.begin(); at != frames_.end(); ++at) {
      if (at->second.order < oldest->second.order) oldest = at;
    }
    frames_.erase(oldest);
  }

  std::map<u64, Frame> frames_;  // by address
  LiveFrameOrder order_;
  u64 left_otherwise_at_ = 0;
};

}  // namespace vitrine
