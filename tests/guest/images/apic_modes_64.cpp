// xAPIC, x2APIC and off: the ways between them and the x2APIC's MSRs (SDM vol. 3, 10.12). QEMU 7.2's TCG has no x2APIC.
#include "tests/guest/runtime/apic.hpp"

namespace {

constexpr u64 off = 0xFEE00100, xapic = 0xFEE00900, x2apic = 0xFEE00D00, invalid = 0xFEE00500;

u32 msr_number;
u64 msr_value;
volatile u32 count;

void read_it() { msr_value = read_msr(msr_number); }
void write_it() { write_msr(msr_number, msr_value); }
void on_vector(Frame&) {
  count = count + 1;
  write_msr(0x80B, 0);
}

bool refuses_write(u32 number, u64 value) {
  msr_number = number;
  msr_value = value;
  return run(write_it).vector == 13;
}
bool refuses_read(u32 number) {
  msr_number = number;
  return run(read_it).vector == 13;
}
bool cpuid_shows_apic() {
  u32 eax = 1, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (edx >> 9 & 1) != 0;
}

}  // namespace

void guest_main() {
  apic::start();
  set_handler(0x41, on_vector);
  const NotCompared here("SDM vol. 3, 10.12");
  check_true("from xAPIC not to EXTD alone", refuses_write(apic::msr_base, invalid));
  check_true("reserved bits are refused", refuses_write(apic::msr_base, xapic | 1));
  check_true("x2APIC's MSRs are refused in xAPIC mode", refuses_read(0x802));
  check_true("from xAPIC to x2APIC", !refuses_write(apic::msr_base, x2apic));
  check_true("from x2APIC not to xAPIC", refuses_write(apic::msr_base, xapic));
  check("the id", read_msr(0x802), 0);
  check("the logical id", read_msr(0x80D), 1);
  check("the page is gone", apic::read(apic::version), 0xFFFFFFFF);
  write_msr(0x83F, 0x41);
  window();
  check("self IPI comes", count, 1);
  write_msr(0x830, u64{0xFFFFFFFF} << 32 | apic::asserted | 0x41);
  window();
  check("a broadcast too", count, 2);
  write_msr(0x830, u64{1} << 32 | apic::asserted | apic::logical | 0x41);
  window();
  check("by the logical id too", count, 3);
  check_true("EOI takes 0 only", refuses_write(0x80B, 1));
  check_true("ESR takes 0 only", refuses_write(0x828, 1));
  check_true("the id is read-only", refuses_write(0x802, 0));
  check_true("self IPI is write-only", refuses_read(0x83F));
  check_true("there is no DFR", refuses_read(0x80E));
  check_true("reserved bits of LVT are refused", refuses_write(0x832, 0x80000));
  check_true("TPR has 8 bits", refuses_write(0x808, 0x100));
  check_true("from x2APIC to off", !refuses_write(apic::msr_base, off));
  check_true("CPUID shows none then", !cpuid_shows_apic());
  check_true("from off not to x2APIC", refuses_write(apic::msr_base, x2apic));
  check_true("from off to xAPIC", !refuses_write(apic::msr_base, xapic));
  check_true("CPUID shows it again", cpuid_shows_apic());
  check("the page is back", apic::read(apic::version) & 0xF0, 0x10);
}
