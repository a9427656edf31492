#include "kernel/core/panic.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/core/assert.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/symbols.hpp"

extern "C" const char kernel_text_begin[], kernel_text_end[];

namespace pulse {

namespace {

constexpr u8 panic_exit_value = 0x7F;
constexpr u16 debug_exit_port = 0xF4;

struct ConsoleSink final : TextSink {
  using TextSink::put;
  void put(char character) override { write_consoles({&character, 1}); }
};

void put_location(TextSink& out, u64 address) {
  format(out, "  {:#x}", address);
  u64 offset = 0;
  const std::string_view name = symbol_at(address, offset);
  if (!name.empty()) format(out, " {}+{:#x}", name, offset);
  out.put('\n');
}

void put_registers(TextSink& out, const Frame& frame) {
  const struct {
    std::string_view name;
    u64 value;
  } registers[] = {{"rax", frame.rax}, {"rbx", frame.rbx}, {"rcx", frame.rcx},     {"rdx", frame.rdx},
                   {"rsi", frame.rsi}, {"rdi", frame.rdi}, {"rbp", frame.rbp},     {"rsp", frame.rsp},
                   {"r8 ", frame.r8},  {"r9 ", frame.r9},  {"r10", frame.r10},     {"r11", frame.r11},
                   {"r12", frame.r12}, {"r13", frame.r13}, {"r14", frame.r14},     {"r15", frame.r15},
                   {"rip", frame.rip}, {"cs ", frame.cs},  {"flags", frame.flags}, {"cr2", read_cr2()}};
  unsigned column = 0;
  for (const auto& [name, value] : registers) {
    format(out, "{} {:016x}{}", name, value, ++column % 4 == 0 ? "\n" : "  ");
  }
}

bool is_kernel_stack(u64 address) { return address >= DIRECT_MAP && (address & 7) == 0; }

/// Frame pointers, as long as they look like some.
void put_back_trace(TextSink& out, u64 frame_pointer) {
  for (int depth = 0; depth < 32 && is_kernel_stack(frame_pointer); ++depth) {
    const auto* slots = reinterpret_cast<const u64*>(frame_pointer);
    const u64 next = slots[0];
    const u64 address = slots[1];
    if (address < reinterpret_cast<u64>(kernel_text_begin) || address >= reinterpret_cast<u64>(kernel_text_end)) return;
    put_location(out, address);
    if (next <= frame_pointer) return;
    frame_pointer = next;
  }
}

bool panicking = false;

}  // namespace

void panic_with(const Frame* frame, std::string_view text, std::span<const FormatArgument> arguments) {
  interrupts_off();
  if (panicking) halt_for_good();
  panicking = true;
  stop_other_cpus();
  ConsoleSink out;
  out.put("\nPulse panics: ");
  format_arguments(out, text, arguments);
  out.put('\n');
  if (frame != nullptr) put_registers(out, *frame);
  out.put("called by, innermost first:\n");
  if (frame != nullptr) {
    put_location(out, frame->rip);
    put_back_trace(out, frame->rbp);
  } else {
    put_back_trace(out, reinterpret_cast<u64>(__builtin_frame_address(0)));
  }
  out8(debug_exit_port, panic_exit_value);
  halt_for_good();
}

void assertion_failed(const char* condition, const char* file, int line) {
  panic("{} does not hold ({}:{})", condition, file, line);
}

}  // namespace pulse
