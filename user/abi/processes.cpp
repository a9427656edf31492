// fork, execve, wait, process groups and sessions.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

char own_path[] = "/abi/processes";

void waiting() {
  begin_part("wait");
  show("nobody to wait for", wait_for(-1));
  show("exit 7", in_child([] { return 7; }));
  show("exit 256 + 3", in_child([] { return 259; }));
  show("killed", in_child([] {
         call(Call::kill, call(Call::getpid), signal::kill);
         return 0;
       }));
  show("aborted", in_child([] {
         call(Call::kill, call(Call::getpid), signal::terminate);
         return 0;
       }));
  show("divides by zero",
       in_child([] {
         asm volatile("xorl %%ecx, %%ecx; movl $1, %%eax; xorl %%edx, %%edx; divl %%ecx" ::: "eax", "ecx", "edx");
         return 0;
       }) & 0x7F);
  show("writes to 0", in_child([] {
                        *reinterpret_cast<volatile int*>(8) = 1;
                        return 0;
                      }) & 0x7F);
  show("undefined instruction", in_child([] {
                                  asm volatile("ud2");
                                  return 0;
                                }) & 0x7F);
  show("breakpoint", in_child([] {
                       asm volatile("int3");
                       return 0;
                     }) & 0x7F);
  show("HLT in ring 3", in_child([] {
                          asm volatile("hlt");
                          return 0;
                        }) & 0x7F);
  show("CLI in ring 3", in_child([] {
                          asm volatile("cli");
                          return 0;
                        }) & 0x7F);
  show("jumps to a non-canonical address", in_child([] {
                                             asm volatile("jmp *%0" ::"r"(non_canonical_address));
                                             return 0;
                                           }) & 0x7F);
  show("calls without end", in_child([] {
                              asm volatile("1: subq $4096, %%rsp; movq $0, (%%rsp); jmp 1b" ::: "memory");
                              return 0;
                            }) & 0x7F);
  const i64 child = start_child([] {
    sleep_milliseconds(30);
    return 1;
  });
  i32 status = -1;
  show("no hang, still running", call(Call::wait4, child, &status, wait_option::no_hang, nullptr));
  show("not my child", call(Call::wait4, 1, &status, 0, nullptr));
  show("unknown options", call(Call::wait4, child, &status, 0x100, nullptr));
  show("that child", wait_for(child));
  show("twice", wait_for(child));
  show("bad status address", (start_child([] { return 0; }), call(Call::wait4, -1, unmapped_address, 0, nullptr)));
  show("is it gone", wait_for(-1));
}

void stopping() {
  begin_part("stop");
  const i64 child = start_child([] {
    for (;;) call(Call::pause);
    return 0;
  });
  call(Call::kill, child, signal::stop);
  show("stopped", wait_for(child, wait_option::untraced));
  i32 status = -1;
  show("told once", call(Call::wait4, child, &status, wait_option::untraced | wait_option::no_hang, nullptr));
  call(Call::kill, child, signal::resume);
  show("goes on", wait_for(child, wait_option::continued));
  call(Call::kill, child, signal::stop);
  wait_for(child, wait_option::untraced);
  call(Call::kill, child, signal::terminate);
  call(Call::kill, child, signal::resume);
  show("ends", wait_for(child));
}

void groups() {
  begin_part("group");
  show("group is parent's",
       in_child([] { return call(Call::getpgrp) == call(Call::getpgid, call(Call::getppid)) ? 1 : 2; }));
  show("own group", in_child([] {
         const i64 result = call(Call::setpgid, 0, 0);
         return result == 0 && call(Call::getpgrp) == call(Call::getpid) ? 1 : 2;
       }));
  show("setpgid of a stranger", call(Call::setpgid, 1, 0));
  show("setpgid of nobody", call(Call::setpgid, 99999, 0));
  show("setpgid to -1", call(Call::setpgid, 0, -1));
  show("setpgid to a group that is not there", in_child([] { return call(Call::setpgid, 0, 99999) == -1 ? 1 : 2; }));
  show("setsid", in_child([] {
         const i64 own = call(Call::getpid);
         return call(Call::setsid) == own && call(Call::getsid, 0) == own && call(Call::getpgrp) == own ? 1 : 2;
       }));
  show("setsid of a leader", in_child([] {
         call(Call::setpgid, 0, 0);
         return static_cast<int>(-call(Call::setsid));
       }));
  show("getpgid of nobody", call(Call::getpgid, 99999));
  show("getsid of nobody", call(Call::getsid, 99999));
  const i64 member = start_child([] {
    call(Call::setpgid, 0, 0);
    for (;;) call(Call::pause);
    return 0;
  });
  call(Call::setpgid, member, member);
  call(Call::kill, -member, signal::user1);
  show("a signal to the group", wait_for(-member));
}

void orphans() {
  begin_part("orphan");
  int ends[2];
  call(Call::pipe2, ends, 0);
  const i64 child = call(Call::fork);
  if (child == 0) {
    if (call(Call::fork) == 0) {
      sleep_milliseconds(30);
      const i64 parent = call(Call::getppid);
      call(Call::write, ends[1], &parent, sizeof parent);
      end(0);
    }
    end(0);
  }
  wait_for(child);
  i64 parent = 0;
  call(Call::read, ends[0], &parent, sizeof parent);
  show("the first process takes it", parent == 1 ? 1 : 0);
  call(Call::close, ends[0]);
  call(Call::close, ends[1]);
}

i64 execute(const char* path, char** arguments, char** environment) {
  return call(Call::execve, path, arguments, environment);
}

void executing() {
  begin_part("exec");
  char* none[] = {nullptr};
  show("no such file", execute("/none", none, none));
  show("a directory", execute("/tmp", none, none));
  const i64 text = call(Call::open, "/tmp/text", open_flag::create | open_flag::write_only, 0644);
  call(Call::write, text, "no program\n", 11);
  call(Call::close, text);
  show("not executable", execute("/tmp/text", none, none));
  call(Call::chmod, "/tmp/text", 0755);
  show("no format that we know", execute("/tmp/text", none, none));
  const i64 half = call(Call::open, "/tmp/text", open_flag::truncate | open_flag::write_only, 0);
  call(Call::write, half,
       "\x7f"
       "ELF\2\1\1",
       7);
  call(Call::close, half);
  show("half an ELF header", execute("/tmp/text", none, none));
  call(Call::unlink, "/tmp/text");
  show("arguments at a bad address", call(Call::execve, own_path, unmapped_address, nullptr));
  show("path at a bad address", call(Call::execve, unmapped_address, nullptr, nullptr));
  show("a bad address among the arguments", in_child([] {
         char* bad[] = {own_path, reinterpret_cast<char*>(unmapped_address), nullptr};
         return static_cast<int>(-execute(own_path, bad, nullptr));
       }));
  static char long_argument[200 * 1024];
  for (char& byte : long_argument) byte = 'a';
  long_argument[sizeof long_argument - 1] = 0;
  char* too_long[] = {own_path, long_argument, nullptr};
  show("an argument of 200 KiB", execute(own_path, too_long, none));
  show("a program with arguments and environment", in_child([] {
         char second_word[] = "second", third[] = "third", variable[] = "A=B";
         char* words[] = {own_path, second_word, third, nullptr};
         char* variables[] = {variable, nullptr};
         call(Call::dup2, 1, 10);
         call(Call::fcntl, 10, control::set_descriptor_flags, 1);
         call(Call::dup2, 1, 11);
         set_action(signal::user1, abi::ignore_handler);
         handle(signal::user2, [](int, abi::SignalInformation*, abi::UserContext*) {});
         change_mask(How::Block, signal_bit(signal::alarm));
         return static_cast<int>(-execute(own_path, words, variables));
       }));
}

alignas(16) u8 child_stack[16384];
char* no_words[] = {nullptr};
volatile i64 spawn_error;
volatile bool child_was_first;

/// As posix_spawn(3) does it: the child uses the parent's memory, and the parent waits for it.
i64 spawn(void (*body)(void*)) {
  return clone_child(clone_flag::memory | clone_flag::fork_and_wait, body, child_stack + sizeof child_stack);
}

void borrowing() {
  begin_part("borrowed memory");
  spawn_error = 0;
  i64 child = spawn([](void*) {
    spawn_error = execute("/none", no_words, no_words);
    call(Call::exit, 9);
  });
  show("a program that is not there is told", spawn_error);
  show("status", wait_for(child));
  child_was_first = false;
  child = spawn([](void*) {
    sleep_milliseconds(30);
    child_was_first = true;
    call(Call::exit, 4);
  });
  show("the parent waits", child_was_first);
  show("status", wait_for(child));
  static char word_one[] = "one";
  static char* words[] = {own_path, word_one, nullptr};
  child = spawn([](void*) { call(Call::exit, execute(own_path, words, no_words)); });
  show("a program that is there", wait_for(child));
  child = spawn([](void*) { *reinterpret_cast<volatile int*>(8) = 1; });
  show("a fault ends the child alone", wait_for(child) & 0x7F);
}

/// What a program finds that was started by execve.
int after_exec(int count, char** arguments, char** environment) {
  begin_part("after exec");
  show("arguments", count);
  for (int i = 0; i < count; ++i) show("  ", std::string_view(arguments[i]));
  for (char** variable = environment; *variable != nullptr; ++variable) show("  ", std::string_view(*variable));
  show("closing descriptor", call(Call::fcntl, 10, control::get_descriptor_flags));
  show("staying descriptor", call(Call::fcntl, 11, control::get_descriptor_flags));
  abi::SignalAction action;
  call(Call::rt_sigaction, signal::user1, nullptr, &action, sizeof(u64));
  show("an ignored signal", static_cast<i64>(action.handler));
  call(Call::rt_sigaction, signal::user2, nullptr, &action, sizeof(u64));
  show("a handled signal", static_cast<i64>(action.handler));
  u64 mask = 0;
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("the mask", static_cast<i64>(mask));
  return 5;
}

}  // namespace

int main_program(int count, char** arguments, char** environment) {
  if (count > 1) return after_exec(count, arguments, environment);
  waiting();
  stopping();
  groups();
  orphans();
  executing();
  borrowing();
  return 0;
}
