// Processes: what fork, execve, wait and exit deal in.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "abi/linux_signal.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/credentials.hpp"
#include "kernel/core/file_table.hpp"
#include "kernel/core/limits.hpp"
#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/thread.hpp"
#include "kernel/core/wait_queue.hpp"
#include "kernel/memory/address_space.hpp"

namespace pulse {

using vitrine::abi::SignalAction;

/// What every signal does, shared by threads (and CLONE_SIGHAND).
class SignalActions : public Shared {
 public:
  SignalAction of[vitrine::abi::signal::most + 1];
};

/// Where a signal comes from, as siginfo_t tells it.
struct SignalCause {
  i32 code = vitrine::abi::signal_code::by_kernel;
  u32 process = 0;  ///< the sender, or the child
  u64 value = 0;    ///< the address of a fault; a child's status
  u32 user = 0;     ///< the sender's
};

/// Where a process stands in the tree of files (CLONE_FS).
class Location : public Shared {
 public:
  Ref<Node> root, current;
  u32 creation_mask = 022;
};

/// Memory that a child of vfork(2) uses while its parent waits for it.
class Loan : public Shared {
 public:
  bool over = false;  ///< the child has ended, or runs another program
  WaitQueue returned;
};

struct Process {
  u32 id = 0;
  Process* parent = nullptr;
  u32 parent_id = 0;  ///< 0: none. For who may not ask the parent, since it may just end
  u32 group = 0, session = 0;
  std::vector<Process*> children;
  std::vector<Thread*> threads;
  Ref<AddressSpace> space;
  Ref<Loan> loan;  ///< of `space`; null: it is its own
  Ref<FileTable> files;
  Ref<SignalActions> actions;
  Ref<Location> location;
  Ref<File> terminal;  ///< the controlling one
  Credentials credentials;
  Limits limits;
  u64 cpu_seconds_told = 0;  ///< of limits' Cpu: how many SIGXCPU has told of

  u64 pending_signals = 0;                             ///< bit n-1: signal n, for whichever thread takes it
  SignalCause causes[vitrine::abi::signal::most + 1];  ///< of pending ones, the threads' too
  WaitQueue child_changed;                             ///< for wait4
  WaitQueue signal_arrived;                            ///< for signalfd
  WaitQueue thread_ended;                              ///< for execve, which leaves one
  bool ended = false;                                  ///< a zombie: only the parent's wait is missing
  bool stopped = false, stop_reported = true, resume_reported = true;
  i32 exit_status = 0;            ///< as wait4 reports it
  u64 run_nanoseconds = 0;        ///< of threads that have ended
  std::vector<char> arguments;    ///< for /proc/PID/cmdline: each with its 0
  std::vector<char> environment;  ///< for /proc/PID/environ, as the program began with it
  Ref<Node> program;              ///< for /proc/PID/exe, with its path
  std::vector<char> program_path;
  u64 started = 0;                                         ///< nanoseconds since boot
  u64 user_ticks = 0, system_ticks = 0;                    ///< of threads that have ended
  u64 children_user_ticks = 0, children_system_ticks = 0;  ///< of those that were waited for, and of theirs
};

[[nodiscard]] inline Process& current_process() { return *current_thread().process; }
/// Nanoseconds that its threads have had CPUs, those that have ended too.
[[nodiscard]] u64 cpu_time_of(const Process& process);
[[nodiscard]] Process* find_process(u32 id);
/// Of any process; null: there is none.
[[nodiscard]] Thread* find_thread(u32 number);
/// All of them, in order of id.
[[nodiscard]] const std::vector<Process*>& all_processes();

/// The first process, from a program of the root file system. NoEntry and others: it could not be started.
[[nodiscard]] Result<void> start_first_process(Ref<Node> root, std::string_view path,
                                               std::span<const std::string_view> arguments,
                                               std::span<const std::string_view> environment);

struct ProgramText {
  std::vector<std::vector<char>> arguments, environment;  ///< each ends with a 0
};
/// execve(2) (program.cpp): on success `frame` is that of the new program.
[[nodiscard]] Result<void> execute(Frame& frame, std::string_view path, ProgramText text);

/// clone(2)'s flags.
namespace clone_flag {
inline constexpr u64 memory = 0x100, location = 0x200, files = 0x400, actions = 0x800, fork_and_wait = 0x4000,
                     thread = 0x10000, thread_pointer = 0x80000, parent_tid = 0x100000, child_clear_tid = 0x200000,
                     child_set_tid = 0x1000000;
}
/// clone(2)'s wishes.
struct CloneRequest {
  u64 flags = 0;
  u64 stack = 0;  ///< 0: the parent's
  u64 parent_tid = 0, child_tid = 0, thread_pointer = 0;
};
/// The new thread's number.
[[nodiscard]] Result<u32> clone_thread(const Frame& frame, const CloneRequest& request);

/// Ends the running thread; the last one ends its process. `status` as in wait4.
[[noreturn]] void exit_thread(i32 status);
/// Ends all threads of the running process.
[[noreturn]] void exit_process(i32 status);
[[nodiscard]] constexpr i32 exited_with(i32 code) { return (code & 0xFF) << 8; }
[[nodiscard]] constexpr i32 killed_by(u32 signal) { return static_cast<i32>(signal); }

/// The child of vfork(2) needs its parent's memory no longer.
void return_loan(Process& process);
/// For execve: the program that begins has one thread. False: this one is to end too.
[[nodiscard]] bool end_other_threads(Process& process, const Thread& self);

struct WaitedFor {
  u32 id = 0;
  i32 status = 0;
};
/// wait4(2). `which`: -1 any child, > 0 that one, 0 of the own group, < -1 of that group. id 0: none yet (WNOHANG).
[[nodiscard]] Result<WaitedFor> wait_for_child(i32 which, u32 options);

}  // namespace pulse
