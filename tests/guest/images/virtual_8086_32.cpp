// Virtual-8086 mode: IRET into it, what traps to the monitor, the frame, the I/O map (SDM vol. 3, ch. 20).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u32 v86_saved_sp;
[[noreturn]] void enter_v86();
struct [[gnu::packed]] {
  u32 ip, cs, flags, sp, ss, es, ds, fs, gs;
} v86_frame;
}
asm(R"(
.text
.globl enter_v86
enter_v86:
  movl $v86_frame, %esp
  iret
)");

namespace {

constexpr u32 segment = 0x2000;
u8* const memory = reinterpret_cast<u8*>(segment * 16);

template <u32 Size>
Trap run_v86(const u8 (&code)[Size], word more_flags = 0) {
  for (u32 i = 0; i < Size; ++i) memory[0x100 + i] = code[i];
  asm volatile("" ::: "memory");
  v86_frame = {.ip = 0x100,
               .cs = segment,
               .flags = 2 | flag_vm | more_flags,
               .sp = 0xF000,
               .ss = segment,
               .es = 0x1111,
               .ds = segment,
               .fs = 0x3333,
               .gs = 0x4444};
  return run(enter_v86);
}
Frame seen;
void keep_frame(Frame& frame) {
  seen = frame;
  leave_run(frame);
}
void check_v86(const char* what, const Trap& trap, u32 vector, word error, word ip) {
  check(what, static_cast<u64>(trap.vector) << 32 | trap.error << 16 | trap.ip,
        static_cast<u64>(vector) << 32 | error << 16 | ip);
}

// The map lies behind the TSS: 0x0 to 0xFF.
struct [[gnu::packed]] {
  Tss tss;
  u8 map[33];
} wide_tss;

}  // namespace

void guest_main() {
  set_handler(13, keep_frame);
  set_gate_dpl(0x80, 3);

  check_v86("HLT: #GP to the monitor", run_v86({0x90, 0xF4}), 13, 0, 0x101);
  check("VM in the frame", seen.flags & flag_vm, flag_vm);
  check("its CS is a paragraph", seen.cs & 0xFFFF, segment);
  check("SS and SP", (seen.ss & 0xFFFF) << 16 | seen.sp, segment << 16 | 0xF000);
  check("ES", seen.v86_es & 0xFFFF, 0x1111);
  check("DS", seen.v86_ds & 0xFFFF, segment);
  check("FS", seen.v86_fs & 0xFFFF, 0x3333);
  check("GS", seen.v86_gs & 0xFFFF, 0x4444);
  check("the monitor's own DS was null: the stub saved 0", seen.ds & 0xFFFF, 0);

  check_v86("CLI with IOPL 0", run_v86({0xFA}), 13, 0, 0x100);
  check_v86("STI with IOPL 0", run_v86({0xFB}), 13, 0, 0x100);
  check_v86("PUSHF with IOPL 0", run_v86({0x9C}), 13, 0, 0x100);
  check_v86("POPF with IOPL 0", run_v86({0x9D}), 13, 0, 0x100);
  check_v86("IRET with IOPL 0", run_v86({0xCF}), 13, 0, 0x100);
  check_v86("INT n with IOPL 0", run_v86({0xCD, 0x80}), 13, 0, 0x100);
  check_v86("IN without the map", run_v86({0xE4, 0x61}), 13, 0, 0x100);
  check_v86("MOV to CR0", run_v86({0x0F, 0x22, 0xC0}), 13, 0, 0x100);
  check_v86("LLDT is undefined there", run_v86({0x0F, 0x00, 0xD0}), 6, 0, 0x100);
  check_v86("ARPL too", run_v86({0x63, 0xC0}), 6, 0, 0x100);

  check_v86("with IOPL 3, INT 80 gets to the gate", run_v86({0xFA, 0x9C, 0x9D, 0xCD, 0x80}, flag_iopl3), 0x80, 0,
            0x105);
  check_v86("INT3 goes by DPL, whatever IOPL", run_v86({0xCC}), 13, 3 * 8 + 2, 0x100);
  set_gate_dpl(3, 3);
  check_v86("with DPL 3 it arrives", run_v86({0xCC}), 3, 0, 0x101);
  check_v86("with IOPL 3, a gate of DPL 0", run_v86({0xCD, 0x81}, flag_iopl3), 13, 0x81 * 8 + 2, 0x100);

  // mov ax,5; mov ds,ax (no descriptor is looked at); mov ax,[0x50] ...
  for (u32 i = 0; i < 4; ++i) reinterpret_cast<volatile u8*>(0x20000)[0x800 + i] = static_cast<u8>(0x11 * (i + 1));
  const Trap trap = run_v86({0xB8, 0x80, 0x20, 0x8E, 0xD8, 0xA1, 0x00, 0x00, 0xF4});
  check("segments are paragraphs: 2080:0000", trap.ax & 0xFFFF, 0x2211);
  check_v86("a far call and its return", run_v86({0x9A, 0x08, 0x01, 0x00, 0x20, 0xF4, 0x90, 0x90, 0xCB}), 13, 0, 0x105);
  check_v86("divide by zero", run_v86({0x31, 0xD2, 0x31, 0xC9, 0xF7, 0xF1}), 0, 0, 0x104);

  // The I/O permission map (SDM vol. 1, 18.5.2).
  wide_tss.tss = guest_tss;
  wide_tss.tss.io_map = sizeof(Tss);
  for (u8& each : wide_tss.map) each = 0xFF;
  wide_tss.map[0x61 / 8] = static_cast<u8>(~(1 << (0x61 & 7)));
  put_descriptor(free_selector, descriptor(reinterpret_cast<word>(&wide_tss), sizeof wide_tss - 1, 0x89, 0));
  asm volatile("ltr %w0" ::"r"(u32{free_selector}) : "memory");
  check_v86("IN of an allowed port", run_v86({0xE4, 0x61, 0xF4}), 13, 0, 0x102);
  check_v86("IN of another", run_v86({0xE4, 0x60}), 13, 0, 0x100);
  check_v86("IN of two, the second not allowed", run_v86({0xE5, 0x61}), 13, 0, 0x100);
}
