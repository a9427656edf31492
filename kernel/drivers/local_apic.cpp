#include "kernel/drivers/local_apic.hpp"

#include <cpuid.h>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/time.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

// Registers by their x2APIC number; in memory each has 16 bytes (SDM table 11-6).
enum Register : u16 {
  id_register = 0x02,
  task_priority = 0x08,
  end_register = 0x0B,
  logical_destination = 0x0D,
  destination_format = 0x0E,
  spurious_register = 0x0F,
  error_status = 0x28,
  command_low = 0x30,
  command_high = 0x31,
  lvt_timer = 0x32,
  lvt_thermal = 0x33,
  lvt_performance = 0x34,
  lvt_pin0 = 0x35,
  lvt_pin1 = 0x36,
  lvt_error = 0x37,
  timer_initial = 0x38,
  timer_current = 0x39,
  timer_divide = 0x3E,
};
constexpr u32 enabled = 0x100, masked = 0x10000, periodic = 0x20000, delivers_nmi = 0x400;
constexpr u32 divide_by_16 = 3;
constexpr u32 init_command = 0x500, startup_command = 0x600, asserted = 0x4000, level = 0x8000, pending = 0x1000;
constexpr u32 apic_base_msr = 0x1B, first_x2apic_msr = 0x800;
constexpr u64 base_enabled = 0x800, base_x2apic = 0x400;
constexpr u64 millisecond = 1'000'000;

volatile u32* registers = nullptr;
LocalApic::Mode mode = LocalApic::Mode::XApic;

void wait(u64 nanoseconds) {
  const u64 end = nanoseconds_since_boot() + nanoseconds;
  while (nanoseconds_since_boot() < end) asm volatile("pause");
}

}  // namespace

u32 LocalApic::read(u16 number) {
  if (mode == Mode::X2Apic) return static_cast<u32>(read_msr(first_x2apic_msr + number));
  return registers[number * 4];
}

void LocalApic::write(u16 number, u32 value) {
  if (mode == Mode::X2Apic) return write_msr(first_x2apic_msr + number, value);
  registers[number * 4] = value;
}

bool LocalApic::start(u64 physical, Mode wanted) {
  u32 a, b, c, d;
  __cpuid(1, a, b, c, d);
  constexpr unsigned has_apic = 9, has_x2apic = 21;
  if (!bit(d, has_apic) || (wanted == Mode::X2Apic && !bit(c, has_x2apic))) return false;
  registers = static_cast<volatile u32*>(map_device(physical, page_bytes));
  mode = wanted;
  start_here();
  return true;
}

void LocalApic::start_here() {
  const u64 base = read_msr(apic_base_msr) | base_enabled;
  write_msr(apic_base_msr, base);
  if (mode == Mode::X2Apic) write_msr(apic_base_msr, base | base_x2apic);
  write(task_priority, 0);
  if (mode == Mode::XApic) {
    write(destination_format, ~u32{0});
    write(logical_destination, 0);
  }
  write(lvt_timer, masked);
  write(lvt_thermal, vector::thermal);
  write(lvt_performance, vector::performance);
  write(lvt_pin0, masked);  // the 8259s have no say any more
  write(lvt_pin1, delivers_nmi);
  write(lvt_error, vector::error);
  write(error_status, 0);
  write(spurious_register, enabled | vector::spurious);
}

u32 LocalApic::id() {
  const u32 value = read(id_register);
  return mode == Mode::X2Apic ? value : value >> 24;
}

void LocalApic::end_of_interrupt() { write(end_register, 0); }

void LocalApic::send_command(u32 id, u32 command) {
  if (mode == Mode::X2Apic) return write_msr(first_x2apic_msr + command_low, u64{id} << 32 | command);
  const InterruptsOff off;  // the two halves are one
  while ((read(command_low) & pending) != 0) asm volatile("pause");
  write(command_high, id << 24);
  write(command_low, command);
}

void LocalApic::send(u32 id, u8 number) { send_command(id, asserted | number); }

void LocalApic::start_processor(u32 id, u8 page) {
  send_command(id, init_command | level | asserted);
  wait(10 * millisecond);
  for (int i = 0; i < 2; ++i) {
    send_command(id, startup_command | page);
    wait(millisecond / 5);
  }
}

u32 LocalApic::measure_timer() {
  constexpr u64 parts_of_second = 500;
  write(timer_divide, divide_by_16);
  write(lvt_timer, masked);
  write(timer_initial, ~u32{0});
  const u64 begin = nanoseconds_since_boot();
  wait(1'000'000'000 / parts_of_second);
  const u32 left = read(timer_current);
  const u64 passed = nanoseconds_since_boot() - begin;
  write(timer_initial, 0);
  return static_cast<u32>(u64{~left} * 1'000'000'000 / passed);
}

void LocalApic::start_timer(u32 count) {
  write(timer_divide, divide_by_16);
  write(lvt_timer, periodic | vector::timer);
  write(timer_initial, count);
}

void LocalApic::start_timer_once(u32 count, Telling telling) {
  write(timer_divide, divide_by_16);
  write(lvt_timer, vector::timer | (telling == Telling::Nothing ? masked : 0));
  write(timer_initial, count);
}

bool LocalApic::timer_ran_out() { return read(timer_current) == 0; }

u32 LocalApic::take_errors() {
  write(error_status, 0);
  return read(error_status);
}

}  // namespace pulse
