// What system this is, what it has, and its end: uname, sysinfo, random numbers, reboot.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernel/core/log.hpp"
#include "kernel/core/power.hpp"
#include "kernel/core/random.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/memory/kernel_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

struct SystemName {
  char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

// Programs compare the release with what their C library needs: it is that of the ABI that we have.
SystemName system_name{"Linux", "pulse", "6.1.0-pulse", "Pulse", "x86_64", "(none)"};

CallResult sys_uname(Call& call) { return done(write_user(call.a, system_name)); }

CallResult set_name(Call& call, char (&field)[65]) {
  if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  char text[sizeof field] = {};
  if (call.b >= sizeof field) return fail(Errno::Invalid);
  if (const auto copied = copy_from_user(text, call.a, call.b); !copied) return fail(copied.error());
  std::memcpy(field, text, sizeof field);
  return 0;
}
CallResult sys_sethostname(Call& call) { return set_name(call, system_name.node); }
CallResult sys_setdomainname(Call& call) { return set_name(call, system_name.domain); }

CallResult sys_getrandom(Call& call) {
  constexpr u64 known_flags = 7;
  if ((call.c & ~known_flags) != 0) return fail(Errno::Invalid);
  u64 written = 0;
  while (written < call.b) {
    const u64 number = random_number();
    const u64 count = std::min<u64>(sizeof number, call.b - written);
    if (const auto result = copy_to_user(call.a + written, &number, count); !result) return fail(result.error());
    written += count;
  }
  return written;
}

struct SystemInformation {
  i64 uptime;
  u64 loads[3], ram, free_ram, shared, buffers, swap, free_swap;
  u16 processes, padding;
  u64 high, free_high;
  u32 unit;
};

CallResult sys_sysinfo(Call& call) {
  const MemoryUse memory = memory_use();
  SystemInformation information{};
  information.uptime = static_cast<i64>(nanoseconds_since_boot() / second);
  information.ram = memory.all_pages * page_bytes;
  information.free_ram = memory.free_pages * page_bytes;
  information.processes = static_cast<u16>(all_processes().size());
  information.unit = 1;
  return done(write_user(call.a, information));
}

CallResult sys_reboot(Call& call) {
  constexpr u32 magic1 = 0xFEE1DEAD, magic2[] = {0x28121969, 0x05121996, 0x16041998, 0x20112000};
  enum Command : u32 {
    restart = 0x01234567,
    halt = 0xCDEF0123,
    key_combination_on = 0x89ABCDEF,
    key_combination_off = 0,
    off = 0x4321FEDC
  };
  const bool sound =
      static_cast<u32>(call.a) == magic1 && std::ranges::find(magic2, static_cast<u32>(call.b)) != std::end(magic2);
  if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  if (!sound) return fail(Errno::Invalid);
  switch (static_cast<u32>(call.c)) {
    case restart:
      restart_machine();
    case halt:
      log_info("halted");
      halt_for_good();
    case off:
      power_off();
    case key_combination_on:
    case key_combination_off:
      return 0;  // Ctrl-Alt-Del is a key like any other here
    default:
      return fail(Errno::Invalid);
  }
}

constexpr CallEntry entries[] = {
    {63, "uname", sys_uname},
    {99, "sysinfo", sys_sysinfo},
    {169, "reboot", sys_reboot},
    {170, "sethostname", sys_sethostname},
    {171, "setdomainname", sys_setdomainname},
    {318, "getrandom", sys_getrandom},
};

}  // namespace

std::span<const CallEntry> machine_calls() { return entries; }

}  // namespace pulse
