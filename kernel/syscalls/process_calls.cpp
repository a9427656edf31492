// fork, execve, exit, wait, ids, and what a C library asks for at its start.
#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/program.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"

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

constexpr CallEntry entries[] = {
    {39, "getpid", nullptr, quick_getpid},
    {41, "socket", sys_socket},
    {56, "clone", sys_clone},
    {57, "fork", sys_fork},
    {58, "vfork", sys_vfork},
    {59, "execve", sys_execve},
    {60, "exit", sys_exit},
    {61, "wait4", sys_wait4},
    {109, "setpgid", sys_setpgid},
    {110, "getppid", nullptr, quick_getppid},
    {111, "getpgrp", nullptr, quick_getpgrp},
    {112, "setsid", sys_setsid},
    {121, "getpgid", sys_getpgid},
    {124, "getsid", sys_getsid},
    {157, "prctl", sys_prctl},
    {158, "arch_prctl", sys_arch_prctl},
    {186, "gettid", nullptr, quick_gettid},
    {218, "set_tid_address", sys_set_tid_address},
    {231, "exit_group", sys_exit_group},
    {273, "set_robust_list", nullptr, quick_zero},
    {334, "rseq", sys_absent},
    {435, "clone3", sys_absent},
};

}  // namespace

std::span<const CallEntry> process_calls() { return entries; }

}  // namespace pulse
