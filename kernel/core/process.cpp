#include "kernel/core/process.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/floating_point.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/futex.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/process_switch.hpp"
#include "kernel/core/program.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/terminal_device.hpp"
#include "kernel/memory/kernel_memory.hpp"

extern "C" [[noreturn]] void leave_to_frame(pulse::Frame* frame);

namespace pulse {

namespace {

constexpr u32 first_process = 1;
constexpr std::size_t most_processes = 512, most_threads = 1024;

/// wait4(2)'s options.
namespace wait_option {
constexpr u32 no_hang = 1, untraced = 2, continued = 8;
constexpr u32 known = no_hang | untraced | continued | 0xE000'0000;  // the others choose among kinds of children
}  // namespace wait_option
constexpr i32 continued_status = 0xFFFF;

std::vector<Process*> processes;
std::size_t thread_count = 0;

void start_in_program(void* argument) {
  interrupts_off();
  leave_kernel();
  leave_to_frame(static_cast<Frame*>(argument));
}

/// A thread whose first act is to go on as the frame at the top of its stack says.
Thread* make_program_thread(Process& process, std::string_view name, const Frame& frame) {
  auto* floating_point = new (std::nothrow) FloatingPoint;
  Thread* const thread = thread_count < most_threads ? make_kernel_thread(name, start_in_program, nullptr) : nullptr;
  if (thread == nullptr || floating_point == nullptr) {
    delete floating_point;
    if (thread != nullptr) discard_thread(*thread);
    return nullptr;
  }
  auto* place = reinterpret_cast<Frame*>(thread->stack_top - sizeof(Frame));
  move_start_below(*thread, sizeof(Frame), place);
  *place = frame;
  thread->process = &process;
  thread->floating_point = floating_point;
  process.threads.push_back(thread);
  ++thread_count;
  return thread;
}

void give_children_away(Process& process) {
  Process* const heir = find_process(first_process);
  for (Process* child : process.children) {
    child->parent = heir;
    child->parent_id = heir->id;
    heir->children.push_back(child);
    if (child->ended) heir->child_changed.wake(ready::all);
  }
  process.children.clear();
}

bool parent_ignores(const Process& parent) {
  const SignalAction& action = parent.actions->of[signal::child];
  return action.handler == vitrine::abi::ignore_handler ||
         (action.flags & vitrine::abi::signal_flag::no_child_wait) != 0;
}

void forget(Process& process) {
  std::erase(process.parent->children, &process);
  std::erase(processes, &process);
  delete &process;
}

/// The last thread of a process has ended.
void end_process(Process& process) {
  if (process.id == first_process) panic("the first process ended (status {:#x})", process.exit_status);
  // The address space may be this very one: go on with the kernel's tables.
  use_address_space(nullptr);
  ++current_thread().preemption_off;
  interrupts_on();  // this takes long, and nobody else knows of either
  process.space = {};
  process.files = {};
  interrupts_off();
  return_loan(process);
  process.stopped = false;
  process.terminal = {};
  process.location = {};
  process.program = {};
  give_children_away(process);
  if (process.id == process.session) release_terminal_of(process.session);
  process.ended = true;
  if (parent_ignores(*process.parent)) {
    Process* const parent = process.parent;
    forget(process);
    parent->child_changed.wake(ready::all);
    return;
  }
  send_signal(*process.parent, signal::child, cause_of_child(process));
  process.parent->child_changed.wake(ready::all);
}

/// Blocks until `is_ready()` holds. Of all signals only KILL ends it: false.
template <class IsReady>
bool wait_unless_killed(WaitQueue& queue, IsReady is_ready) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  ThreadWaiter waiter(thread);
  queue.add(waiter);
  while (!is_ready() && pending_of(thread, signal_bit(signal::kill)) == 0) {
    thread.state = ThreadState::Blocked;
    schedule();
  }
  queue.remove(waiter);
  return is_ready();
}

struct Found {
  Process* child = nullptr;
  i32 status = 0;
  bool any = false;  ///< some child fits, now or later
};

bool fits(const Process& self, const Process& child, i32 which) {
  if (which == -1) return true;
  if (which > 0) return child.id == static_cast<u32>(which);
  return child.group == (which == 0 ? self.group : static_cast<u32>(-which));
}

Found look_for_child(Process& self, i32 which, u32 options) {
  Found found;
  for (Process* child : self.children) {
    if (!fits(self, *child, which)) continue;
    found.any = true;
    if (child->ended) {
      found.status = child->exit_status;
    } else if (child->stopped && !child->stop_reported && (options & wait_option::untraced) != 0) {
      found.status = child->exit_status;
    } else if (!child->stopped && !child->resume_reported && (options & wait_option::continued) != 0) {
      found.status = continued_status;
    } else {
      continue;
    }
    found.child = child;
    return found;
  }
  return found;
}

}  // namespace

const std::vector<Process*>& all_processes() { return processes; }

Process* find_process(u32 id) {
  const auto place = std::ranges::lower_bound(processes, id, {}, &Process::id);
  return place != processes.end() && (*place)->id == id ? *place : nullptr;
}

Thread* find_thread(u32 number) {
  for (Process* process : processes) {
    for (Thread* thread : process->threads) {
      if (thread->number == number) return thread;
    }
  }
  return nullptr;
}

Result<void> start_first_process(Ref<Node> root, std::string_view path, std::span<const std::string_view> arguments,
                                 std::span<const std::string_view> environment) {
  auto* process = new Process;
  process->files = new FileTable;
  process->actions = new SignalActions;
  process->location = new Location;
  process->location->root = root;
  process->location->current = root;
  Frame frame{};
  Thread* const thread = make_program_thread(*process, path, frame);
  if (thread == nullptr) return fail(Errno::NoMemory);
  ProgramText text;
  const auto copy = [](std::span<const std::string_view> words, std::vector<std::vector<char>>& into) {
    for (const std::string_view word : words) {
      into.emplace_back(word.begin(), word.end());
      into.back().push_back(0);
    }
  };
  copy(arguments, text.arguments);
  copy(environment, text.environment);
  auto* place = reinterpret_cast<Frame*>(thread->stack_top - sizeof(Frame));
  if (const auto done = execute_in(*process, *thread, *place, path, std::move(text)); !done) {
    // Nothing else runs yet: leaving it half-made harms nobody.
    return done;
  }
  start_thread(*thread);
  process->id = process->group = process->session = thread->number;
  processes.push_back(process);
  return {};
}

Result<u32> clone_thread(const Frame& frame, const CloneRequest& request) {
  Process& self = current_process();
  // Its process is ending already, and counts no more threads.
  if (current_thread().ending) return fail(Errno::TryAgain);
  const bool same_process = (request.flags & clone_flag::thread) != 0;
  if (same_process &&
      (request.flags & (clone_flag::memory | clone_flag::actions)) != (clone_flag::memory | clone_flag::actions)) {
    return fail(Errno::Invalid);
  }
  const bool actions_without_memory =
      (request.flags & clone_flag::actions) != 0 && (request.flags & clone_flag::memory) == 0;
  if (actions_without_memory) return fail(Errno::Invalid);
  // The CPU takes no other address for FS.
  const bool bad_pointer = (request.flags & clone_flag::thread_pointer) != 0 && request.thread_pointer >= USER_END;
  if (bad_pointer) return fail(Errno::PermissionDenied);
  if (!same_process && processes.size() >= most_processes) return fail(Errno::TryAgain);
  Process* process = &self;
  if (!same_process) {
    process = new (std::nothrow) Process;
    if (process == nullptr) return fail(Errno::NoMemory);
    const bool shares_memory = (request.flags & clone_flag::memory) != 0;
    auto space = shares_memory ? Result<Ref<AddressSpace>>(self.space) : self.space->copy();
    if (!space) {
      delete process;
      return fail(space.error());
    }
    process->space = *space;
    process->files = (request.flags & clone_flag::files) != 0 ? self.files : self.files->copy();
    if ((request.flags & clone_flag::actions) != 0) {
      process->actions = self.actions;
    } else {
      process->actions = new SignalActions;
      std::copy(std::begin(self.actions->of), std::end(self.actions->of), process->actions->of);
    }
    if ((request.flags & clone_flag::location) != 0) {
      process->location = self.location;
    } else {
      process->location = new Location;
      process->location->root = self.location->root;
      process->location->current = self.location->current;
      process->location->creation_mask = self.location->creation_mask;
    }
    if ((request.flags & clone_flag::fork_and_wait) != 0) process->loan = new Loan;
    process->parent = &self;
    process->parent_id = self.id;
    process->group = self.group;
    process->session = self.session;
    process->terminal = self.terminal;
    process->credentials = self.credentials;
    process->limits = self.limits;
    process->arguments = self.arguments;
    process->environment = self.environment;
    process->program = self.program;
    process->program_path = self.program_path;
    process->started = nanoseconds_since_boot();
  }
  Frame child = frame;
  child.rax = 0;
  child.vector = 0;
  if (request.stack != 0) child.rsp = request.stack;
  Thread& parent_thread = current_thread();
  Thread* const thread = make_program_thread(*process, parent_thread.name, child);
  if (thread == nullptr) {
    if (!same_process) delete process;
    return fail(Errno::TryAgain);
  }
  save_floating_point(*parent_thread.floating_point);
  *thread->floating_point = *parent_thread.floating_point;
  thread->fs_base = (request.flags & clone_flag::thread_pointer) != 0 ? request.thread_pointer : parent_thread.fs_base;
  thread->signal_mask = parent_thread.signal_mask;
  thread->nice = parent_thread.nice;
  thread->affinity = parent_thread.affinity;
  if ((request.flags & clone_flag::child_clear_tid) != 0) thread->clear_child_tid = request.child_tid;
  const Ref<Loan> loan = same_process ? Ref<Loan>() : process->loan;
  const InterruptsOff off;
  const u32 number = number_thread(*thread);
  if (!same_process) {
    process->id = number;
    self.children.push_back(process);
    processes.push_back(process);
  }
  // Writing may wait for a page. The child does not run before all is told, or it might be gone by then.
  if ((request.flags & clone_flag::parent_tid) != 0) (void)write_user(request.parent_tid, number);
  if ((request.flags & clone_flag::child_set_tid) != 0) {
    // In the child's memory: the copy is its own as soon as it is written to.
    use_address_space(process->space.get());
    parent_thread.process = process;
    (void)write_user(request.child_tid, number);
    parent_thread.process = &self;
    use_address_space(self.space.get());
  }
  start_thread(*thread);
  if (loan) (void)wait_unless_killed(loan->returned, [&] { return loan->over; });
  return number;
}

void return_loan(Process& process) {
  const Ref<Loan> loan = std::move(process.loan);
  if (!loan) return;
  loan->over = true;
  loan->returned.wake(ready::all);
}

void exit_thread(i32 status) {
  interrupts_off();
  Thread& thread = current_thread();
  Process& process = *thread.process;
  if (thread.clear_child_tid != 0 && process.threads.size() > 1) {
    (void)write_user(thread.clear_child_tid, u32{0});
    const auto word = futex_word(*process.space, thread.clear_child_tid, FutexScope::AnyProcess);
    if (word) (void)futex_wake(*word, 1);
  }
  std::erase(process.threads, &thread);
  process.thread_ended.wake(ready::all);
  --thread_count;
  process.run_nanoseconds += cpu_time_of(thread);
  process.user_ticks += thread.user_ticks;
  process.system_ticks += thread.system_ticks;
  thread.process = nullptr;
  if (process.threads.empty()) {
    if (!thread.ending) process.exit_status = status;
    end_process(process);
  } else {
    use_address_space(nullptr);
  }
  end_thread();
}

void exit_process(i32 status) {
  interrupts_off();
  Thread& thread = current_thread();
  Process& process = *thread.process;
  if (thread.ending) exit_thread(status);  // another thread has said how the process ends, or calls execve
  process.exit_status = status;
  for (Thread* other : process.threads) {
    other->ending = true;
    if (other == &thread) continue;
    other->pending_signals |= signal_bit(signal::kill);
    wake(*other);
    look_for_signals(*other);
  }
  exit_thread(status);
}

bool end_other_threads(Process& process, const Thread& self) {
  if (self.ending) return false;  // another one was faster
  for (Thread* other : process.threads) {
    if (other == &self) continue;
    other->ending = true;
    other->pending_signals |= signal_bit(signal::kill);
    wake(*other);
    look_for_signals(*other);
  }
  return wait_unless_killed(process.thread_ended, [&] { return process.threads.size() == 1; });
}

Result<WaitedFor> wait_for_child(i32 which, u32 options) {
  Process& self = current_process();
  if ((options & ~wait_option::known) != 0) return fail(Errno::Invalid);
  for (;;) {
    const Found found = look_for_child(self, which, options);
    if (!found.any) return fail(Errno::NoChild);
    if (found.child != nullptr) {
      const WaitedFor result{found.child->id, found.status};
      if (found.child->ended) {
        self.children_user_ticks += found.child->user_ticks + found.child->children_user_ticks;
        self.children_system_ticks += found.child->system_ticks + found.child->children_system_ticks;
        forget(*found.child);
      } else {
        found.child->stop_reported = found.child->resume_reported = true;
      }
      return result;
    }
    if ((options & wait_option::no_hang) != 0) return WaitedFor{};
    const auto waited = wait_until(self.child_changed, [&] {
      const Found now = look_for_child(self, which, options);
      return !now.any || now.child != nullptr;
    });
    if (waited == WaitResult::Interrupted) return fail(Errno::RestartAlways);
  }
}

}  // namespace pulse
