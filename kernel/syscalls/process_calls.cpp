// fork, execve, exit, wait, ids, and what a C library asks for at its start.
#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/futex.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/power.hpp"
#include "kernel/core/program.hpp"
#include "kernel/core/random.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/memory/kernel_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

u64 quick_getpid(const Thread& thread) { return thread.process->id; }
u64 quick_getppid(const Thread& thread) { return thread.process->parent_id; }
u64 quick_getpgrp(const Thread& thread) { return thread.process->group; }
u64 quick_gettid(const Thread& thread) { return thread.number; }
u64 quick_zero(const Thread&) { return 0; }

CallResult sys_clone(Call& call) {
  constexpr u64 exit_signal_mask = 0xFF;
  return clone_thread(call.frame, {.flags = call.a & ~exit_signal_mask,
                                   .stack = call.b,
                                   .parent_tid = call.c,
                                   .child_tid = call.d,
                                   .thread_pointer = call.e});
}

CallResult sys_fork(Call& call) { return clone_thread(call.frame, {}); }
CallResult sys_vfork(Call& call) {
  return clone_thread(call.frame, {.flags = clone_flag::memory | clone_flag::fork_and_wait});
}

CallResult sys_socket(Call&) { return fail(Errno::NoAddressFamily); }  // there is no network

/// C libraries ask for these first and go on without.
CallResult sys_absent(Call&) { return fail(Errno::NotImplemented); }

/// A 0-terminated list of text addresses. What the texts and their addresses need is taken from `left`.
Result<std::vector<std::vector<char>>> read_texts(u64 list, std::size_t& left) {
  constexpr std::size_t most_texts = 4096;
  constexpr std::size_t longest = 128 * 1024;
  std::vector<std::vector<char>> texts;
  if (list == 0) return texts;
  for (std::size_t i = 0; i < most_texts; ++i) {
    const auto address = read_user<u64>(list + i * sizeof(u64));
    if (!address) return fail(address.error());
    if (*address == 0) return texts;
    const auto text = read_user_text(*address, longest);
    if (!text) return fail(text.error() == Errno::NameTooLong ? Errno::TooLongArguments : text.error());
    const std::size_t size = text->length + 1 + sizeof(u64);
    if (size > left) return fail(Errno::TooLongArguments);
    left -= size;
    texts.emplace_back(text->bytes.get(), text->bytes.get() + text->length + 1);
  }
  return fail(Errno::TooLongArguments);
}

CallResult sys_execve(Call& call) {
  const auto path = read_user_text(call.a);
  if (!path) return fail(path.error());
  std::size_t left = most_program_text;
  auto arguments = read_texts(call.b, left);
  if (!arguments) return fail(arguments.error());
  auto environment = read_texts(call.c, left);
  if (!environment) return fail(environment.error());
  if (arguments->empty()) arguments->push_back({0});
  const auto result = execute(call.frame, path->view(), {std::move(*arguments), std::move(*environment)});
  return done(result);
}

CallResult sys_exit(Call& call) { exit_thread(exited_with(static_cast<i32>(call.a))); }
CallResult sys_exit_group(Call& call) { exit_process(exited_with(static_cast<i32>(call.a))); }

CallResult sys_wait4(Call& call) {
  constexpr std::size_t usage_bytes = 144;
  const auto waited = wait_for_child(static_cast<i32>(call.a), static_cast<u32>(call.c));
  if (!waited) return fail(waited.error());
  if (waited->id != 0 && call.b != 0) {
    if (const auto written = write_user(call.b, waited->status); !written) return fail(written.error());
  }
  if (waited->id != 0 && call.d != 0) {
    const char nothing[usage_bytes] = {};
    if (const auto written = copy_to_user(call.d, nothing, sizeof nothing); !written) return fail(written.error());
  }
  return waited->id;
}

CallResult sys_getpgid(Call& call) {
  const Process* const process = call.a == 0 ? &call.process() : find_process(static_cast<u32>(call.a));
  if (process == nullptr) return fail(Errno::NoProcess);
  return process->group;
}
CallResult sys_getsid(Call& call) {
  const Process* const process = call.a == 0 ? &call.process() : find_process(static_cast<u32>(call.a));
  if (process == nullptr) return fail(Errno::NoProcess);
  return process->session;
}

CallResult sys_setpgid(Call& call) {
  Process& self = call.process();
  Process* const process = call.a == 0 ? &self : find_process(static_cast<u32>(call.a));
  if (process == nullptr || (process != &self && process->parent != &self)) return fail(Errno::NoProcess);
  if (static_cast<i64>(call.b) < 0) return fail(Errno::Invalid);
  if (process->session != self.session || process->id == process->session) return fail(Errno::PermissionDenied);
  const u32 group = call.b == 0 ? process->id : static_cast<u32>(call.b);
  const bool exists = group == process->id || std::ranges::any_of(all_processes(), [&](const Process* other) {
                        return other->group == group && other->session == self.session;
                      });
  if (!exists) return fail(Errno::PermissionDenied);
  process->group = group;
  return 0;
}

CallResult sys_setsid(Call& call) {
  Process& self = call.process();
  for (const Process* other : all_processes()) {
    if (other->group == self.id) return fail(Errno::PermissionDenied);
  }
  self.session = self.group = self.id;
  self.terminal = {};
  return self.id;
}

CallResult sys_arch_prctl(Call& call) {
  constexpr u64 set_fs = 0x1002, get_fs = 0x1003;
  Thread& thread = current_thread();
  switch (call.a) {
    case set_fs:
      if (call.b >= USER_END) return fail(Errno::PermissionDenied);
      thread.fs_base = call.b;
      write_msr(msr::fs_base, call.b);
      return 0;
    case get_fs:
      return done(write_user(call.b, thread.fs_base));
    default:
      return fail(Errno::Invalid);
  }
}

CallResult sys_set_tid_address(Call& call) {
  current_thread().clear_child_tid = call.a;
  return current_thread().number;
}

CallResult sys_prctl(Call& call) {
  constexpr u64 set_name = 15, get_name = 16;
  Thread& thread = current_thread();
  switch (call.a) {
    case set_name: {
      char name[sizeof thread.name] = {};
      const auto text = read_user_text(call.b);
      if (!text) return fail(text.error());
      std::memcpy(name, text->bytes.get(), std::min(text->length, sizeof name - 1));
      rename_thread(thread, name);
      return 0;
    }
    case get_name:
      return done(write_user(call.b, thread.name));
    default:
      return fail(Errno::Invalid);
  }
}

struct SystemName {
  char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

// Programs compare the release with what their C library needs: it is that of the ABI that we have.
SystemName system_name{"Linux", "pulse", "6.1.0-pulse", "Pulse", "x86_64", "(none)"};

CallResult sys_uname(Call& call) { return done(write_user(call.a, system_name)); }

CallResult set_name(Call& call, char (&field)[65]) {
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

CallResult sys_prlimit64(Call& call) {
  constexpr u32 stack = 3, open_files = 7, limits = 16;
  if (call.b >= limits) return fail(Errno::Invalid);
  if (call.d == 0) return 0;
  u64 limit = ~u64{0};
  if (call.b == stack) limit = AddressSpace::stack_limit;
  if (call.b == open_files) limit = FileTable::most_files;
  const u64 both[2] = {limit, limit};
  return done(copy_to_user(call.d, both, sizeof both));
}

CallResult sys_getrlimit(Call& call) {
  if (call.b == 0) return fail(Errno::BadAddress);
  call.d = call.b;
  call.b = call.a;
  return sys_prlimit64(call);
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

CallResult sys_sched_yield(Call&) {
  yield();
  return 0;
}

/// Calls `apply(thread)` for the first threads of all processes that `which` and `who` mean. False: there are none.
template <class Apply>
bool for_each_chosen(Call& call, u64 which, u32 who, Apply apply) {
  enum Which : u64 { process = 0, group = 1, user = 2 };
  const Process& self = call.process();
  bool any = false;
  for (Process* other : all_processes()) {
    const bool chosen = (which == process && other->id == (who == 0 ? self.id : who)) ||
                        (which == group && other->group == (who == 0 ? self.group : who)) ||
                        (which == user && who == 0);
    if (!chosen) continue;
    for (Thread* thread : other->threads) {
      apply(*thread);
      any = true;
    }
  }
  return any;
}

CallResult sys_getpriority(Call& call) {
  i32 least = 20;
  if (call.a > 2) return fail(Errno::Invalid);
  const bool any = for_each_chosen(call, call.a, static_cast<u32>(call.b),
                                   [&](const Thread& thread) { least = std::min(least, thread.nice); });
  if (!any) return fail(Errno::NoProcess);
  return static_cast<u64>(20 - least);  // the system call's own way to avoid negative results
}

CallResult sys_setpriority(Call& call) {
  if (call.a > 2) return fail(Errno::Invalid);
  const i32 nice = std::clamp(static_cast<i32>(call.c), -20, 19);
  const bool any = for_each_chosen(call, call.a, static_cast<u32>(call.b), [&](Thread& thread) { thread.nice = nice; });
  return any ? CallResult(0) : fail(Errno::NoProcess);
}

u64 all_cpus_mask() { return cpu_count() == 64 ? ~u64{0} : (u64{1} << cpu_count()) - 1; }

CallResult sys_sched_getaffinity(Call& call) {
  if (call.b < sizeof(u64)) return fail(Errno::Invalid);
  const Thread* const thread = call.a == 0 ? &current_thread() : find_thread(static_cast<u32>(call.a));
  if (thread == nullptr) return fail(Errno::NoProcess);
  if (const auto result = write_user(call.c, thread->affinity & all_cpus_mask()); !result) return fail(result.error());
  return sizeof(u64);
}

CallResult sys_sched_setaffinity(Call& call) {
  Thread* const thread = call.a == 0 ? &current_thread() : find_thread(static_cast<u32>(call.a));
  if (thread == nullptr) return fail(Errno::NoProcess);
  u64 mask = 0;
  if (const auto read = copy_from_user(&mask, call.c, std::min<u64>(call.b, sizeof mask)); !read)
    return fail(read.error());
  if ((mask & all_cpus_mask()) == 0) return fail(Errno::Invalid);
  set_affinity(*thread, mask);
  return 0;
}

CallResult sys_getcpu(Call& call) {
  if (call.a != 0) {
    if (const auto told = write_user(call.a, this_cpu().number); !told) return fail(told.error());
  }
  return call.b != 0 ? done(write_user(call.b, u32{0})) : CallResult(0);
}

struct ResourceUsage {
  i64 user_seconds, user_microseconds, system_seconds, system_microseconds;
  u64 others[14];
};

CallResult sys_getrusage(Call& call) {
  ResourceUsage usage{};
  const TimeSpecification time = specification_of(cpu_time_of(call.process()), TimeParts::Microseconds);
  usage.user_seconds = time.seconds;
  usage.user_microseconds = time.parts;
  return done(write_user(call.b, usage));
}

CallResult sys_futex(Call& call) {
  constexpr u64 operation_mask = 0x7F, wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wait_bits = 9,
                wake_bits = 10;
  constexpr u64 is_private = 0x80, clock_realtime = 0x100;
  AddressSpace& space = *call.process().space;
  const FutexScope scope = (call.b & is_private) != 0 ? FutexScope::OwnProcess : FutexScope::AnyProcess;
  const u64 operation = call.b & operation_mask;
  const auto word = futex_word(space, call.a, scope);
  if (!word && operation <= wake_bits) return fail(word.error());
  switch (operation) {
    case wait:
    case wait_bits: {
      u64 deadline = TimerQueue::never;
      if (call.d != 0) {
        const auto time = read_time(call.d);
        if (!time) return fail(time.error());
        deadline = *time;
        if (operation == wait) deadline += nanoseconds_since_boot();
        if ((call.b & clock_realtime) != 0) deadline -= std::min(deadline, boot_wall_nanoseconds());
      }
      const u32 bits = operation == wait_bits ? static_cast<u32>(call.f) : ~u32{0};
      return done(futex_wait(*word, call.a, static_cast<u32>(call.c), deadline, bits));
    }
    case wake:
      return futex_wake(*word, static_cast<u32>(call.c));
    case wake_bits:
      return futex_wake(*word, static_cast<u32>(call.c), static_cast<u32>(call.f));
    case compare_requeue: {
      const auto value = read_user<u32>(call.a);
      if (!value) return fail(value.error());
      if (*value != static_cast<u32>(call.f)) return fail(Errno::TryAgain);
      [[fallthrough]];
    }
    case requeue: {
      const auto to = futex_word(space, call.e, scope);
      if (!to) return fail(to.error());
      const auto moved = futex_requeue(*word, static_cast<u32>(call.c), static_cast<u32>(call.d), *to);
      if (!moved) return fail(moved.error());
      return *moved;
    }
    default:
      return fail(Errno::NotImplemented);
  }
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
    {24, "sched_yield", sys_sched_yield},
    {39, "getpid", nullptr, quick_getpid},
    {41, "socket", sys_socket},
    {56, "clone", sys_clone},
    {57, "fork", sys_fork},
    {58, "vfork", sys_vfork},
    {59, "execve", sys_execve},
    {60, "exit", sys_exit},
    {61, "wait4", sys_wait4},
    {63, "uname", sys_uname},
    {97, "getrlimit", sys_getrlimit},
    {98, "getrusage", sys_getrusage},
    {99, "sysinfo", sys_sysinfo},
    {102, "getuid", nullptr, quick_zero},
    {104, "getgid", nullptr, quick_zero},
    {105, "setuid", nullptr, quick_zero},
    {106, "setgid", nullptr, quick_zero},
    {107, "geteuid", nullptr, quick_zero},
    {108, "getegid", nullptr, quick_zero},
    {109, "setpgid", sys_setpgid},
    {110, "getppid", nullptr, quick_getppid},
    {111, "getpgrp", nullptr, quick_getpgrp},
    {112, "setsid", sys_setsid},
    {115, "getgroups", nullptr, quick_zero},
    {116, "setgroups", nullptr, quick_zero},
    {121, "getpgid", sys_getpgid},
    {124, "getsid", sys_getsid},
    {140, "getpriority", sys_getpriority},
    {141, "setpriority", sys_setpriority},
    {157, "prctl", sys_prctl},
    {158, "arch_prctl", sys_arch_prctl},
    {169, "reboot", sys_reboot},
    {170, "sethostname", sys_sethostname},
    {171, "setdomainname", sys_setdomainname},
    {186, "gettid", nullptr, quick_gettid},
    {202, "futex", sys_futex},
    {203, "sched_setaffinity", sys_sched_setaffinity},
    {204, "sched_getaffinity", sys_sched_getaffinity},
    {218, "set_tid_address", sys_set_tid_address},
    {231, "exit_group", sys_exit_group},
    {273, "set_robust_list", nullptr, quick_zero},
    {302, "prlimit64", sys_prlimit64},
    {309, "getcpu", sys_getcpu},
    {318, "getrandom", sys_getrandom},
    {334, "rseq", sys_absent},
    {435, "clone3", sys_absent},
};

}  // namespace

std::span<const CallEntry> process_calls() { return entries; }

}  // namespace pulse
