#include "observe/linux/linux_kernel.hpp"

#include <algorithm>

#include "machine/cpu/cpu.hpp"
#include "observe/linux/btf.hpp"

namespace vitrine {

namespace {

/// A kernel's image reaches no farther than this from any of its handlers.
constexpr u64 reach = u64{64} << 20;
constexpr u64 page_mask = ~u64{0xFFF};
constexpr u64 largest_btf = u64{64} << 20;
/// Linux, Documentation/x86/x86_64/mm.rst: "kernel text mapping"; on i386 CONFIG_VMSPLIT_* gives at least 1 GiB.
constexpr u64 lowest_text_64 = 0xFFFFFFFF80000000, lowest_text_32 = 0x40000000;

/// A kernel's image: contiguous in linear addresses and in RAM, so that it can be read whatever is mapped just now.
class ImageView final : public GuestView {
 public:
  ImageView(const Cpu& cpu, u64 linear_minus_physical) : cpu_(&cpu), difference_(linear_minus_physical) {}
  [[nodiscard]] bool read(u64 linear, std::span<u8> into) const override {
    return cpu_->memory.read_block(PhysicalAddress(linear - difference_), into);
  }

 private:
  const Cpu* cpu_;
  u64 difference_;
};

/// The handler of a vector; 0: its gate is absent or can't be read.
u64 handler_of(const Cpu& cpu, unsigned vector_number) {
  const CpuState& state = cpu.state;
  u8 gate[16] = {};
  const unsigned size = state.long_mode() ? 16 : 8;
  if (vector_number * size + size - 1 > state.idtr.limit) return 0;
  if (!peek_memory(cpu, state.idtr.base + u64{vector_number} * size, {gate, size})) return 0;
  if ((gate[5] & 0x80) == 0) return 0;
  const auto part = [&](unsigned at, unsigned bytes, unsigned shift) {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= u64{gate[at + i]} << (8 * i);
    return value << shift;
  };
  return part(0, 2, 0) | part(6, 2, 16) | (size == 16 ? part(8, 4, 32) : 0);
}

struct Place {
  KernelRange range;
  u64 difference = 0;  ///< linear minus physical
};

std::optional<Place> place_of_kernel(const Cpu& cpu) {
  if (!cpu.state.paging() || !cpu.state.protected_mode()) return std::nullopt;
  const bool wide = cpu.state.long_mode();
  const u64 lowest = wide ? lowest_text_64 : lowest_text_32;
  for (const unsigned number : {14u, 13u, 3u, 0u}) {
    const u64 handler = handler_of(cpu, number);
    u64 physical = 0;
    if (handler < lowest || !cpu.peek_translate(handler, physical)) continue;
    const u64 top = wide ? ~u64{0xFFF} : 0xFFFFF000;
    const u64 below = std::min({reach, handler - lowest, physical});
    return Place{.range = {.begin = (handler - below) & page_mask,
                           .end = (handler + std::min(reach, top - handler)) & page_mask,
                           .pointer_size = wide ? 8u : 4u},
                 .difference = handler - physical};
  }
  return std::nullopt;
}

std::optional<TaskLayout> task_layout(const GuestView& memory, const KernelSymbols& symbols) {
  const u64 begin = symbols.address_of("__start_BTF");
  const u64 end = symbols.address_of("__stop_BTF");
  if (begin == 0 || end <= begin || end - begin > largest_btf) return std::nullopt;
  const std::vector<u8> btf = memory.bytes(begin, end - begin);
  const auto number = btf_member_offset(btf, "task_struct", "pid");
  const auto name = btf_member_offset(btf, "task_struct", "comm");
  if (!number || !name) return std::nullopt;
  return TaskLayout{.number = *number, .name = *name};
}

}  // namespace

std::optional<LinuxKernel> find_linux_kernel(const Cpu& cpu) {
  const std::optional<Place> place = place_of_kernel(cpu);
  if (!place) return std::nullopt;
  const ImageView memory(cpu, place->difference);
  std::optional<KernelSymbols> symbols = KernelSymbols::find(memory, place->range);
  if (!symbols) return std::nullopt;
  LinuxKernel found{.symbols = std::move(*symbols), .pointer_size = place->range.pointer_size};
  found.tasks = task_layout(memory, found.symbols);
  return found;
}

}  // namespace vitrine
