#include "observe/check/live_frames.hpp"

#include <cstring>

#include "base/assert.hpp"

namespace vitrine {

bool FrameWords::same_context(const FrameWords& other) const {
  if (count != other.count || ip() != other.ip() || code() != other.code()) return false;
  for (u8 i = 3; i < count; ++i) {
    if (word[i] != other.word[i]) return false;
  }
  return true;
}

bool peek_words(const Cpu& cpu, u64 linear, u8 size, u8 count, FrameWords& into) {
  VITRINE_ASSERT(count <= FrameWords::most && size <= 8);
  u8 bytes[FrameWords::most * 8];
  if (!peek_memory(cpu, linear, std::span(bytes, std::size_t{size} * count))) return false;
  into.count = count;
  into.word.fill(0);
  for (u8 i = 0; i < count; ++i) std::memcpy(&into.word[i], bytes + std::size_t{size} * i, size);
  return true;
}

bool within_kernel_phase(const Cpu& cpu, const ProbedDelivery& delivery) {
  return !cpu.state.real_or_v86() && !delivery.task_gate && (delivery.before.flags & flag::virtual_8086) == 0;
}

void LiveFrameOrder::begin(LiveFrameBase& frame, const Cpu& cpu, const ProbedDelivery& delivery) {
  frame.delivery = delivery;
  frame.handler = cpu.linear_rip();
  frame.cr3 = cpu.state.cr3;
  frame.order = ++order_;
  frame.words_known = peek_words(cpu, delivery.frame, delivery.slot_size, delivery.slots, frame.pushed);
}

}  // namespace vitrine
