// setrlimit(2) and prlimit(2): what is kept, and what is enforced.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

enum Which : int { cpu = 0, file_size = 1, data = 2, stack = 3, core = 4, open_files = 7, space = 9, nice_value = 13 };
constexpr u64 none = ~u64{0};
constexpr u32 cpu_limit = 24, too_big = 25;

struct Limit {
  u64 now, most;
};

i64 set(int which, u64 now, u64 most) {
  const Limit limit{now, most};
  return call(Call::setrlimit, which, &limit);
}
Limit get(int which) {
  Limit limit{};
  call(Call::getrlimit, which, &limit);
  return limit;
}

void show_limit(std::string_view what, int which) {
  const Limit limit = get(which);
  show(what, limit.now == none ? -1 : static_cast<i64>(limit.now));
  show("  at most", limit.most == none ? -1 : static_cast<i64>(limit.most));
}

void keeping() {
  begin_part("limits");
  show_limit("cpu", cpu);
  show_limit("file size", file_size);
  show_limit("data", data);
  show_limit("stack", stack);
  show_limit("core", core);
  show_limit("open files", open_files);
  show_limit("address space", space);
  show_limit("nice", nice_value);
  in_child([] {
    show("a smaller one", set(data, 1 << 20, 1 << 21));
    show_limit("is kept", data);
    in_child([] {
      show_limit("a child has it too", data);
      return 0;
    });
    show("more than the most", set(data, 1 << 22, 1 << 21));
    call(Call::setgid, 1000);
    call(Call::setuid, 1000);
    show("up to the most", set(data, 1 << 21, 1 << 21));
    show("raising the most", set(data, 1 << 21, 1 << 22));
    Limit before{};
    show("prlimit of init", call(Call::prlimit64, 1, data, nullptr, &before));
    show("prlimit of itself", call(Call::prlimit64, call(Call::getpid), data, nullptr, &before));
    show("what it was", static_cast<i64>(before.now));
    return 0;
  });
  Limit limit{};
  show("no such limit", call(Call::prlimit64, 0, 16, nullptr, &limit));
  show("no such process", call(Call::prlimit64, 99999, data, nullptr, &limit));
  show("from a bad address", call(Call::prlimit64, 0, data, unmapped_address, nullptr));
  show("to a bad address", call(Call::prlimit64, 0, data, nullptr, unmapped_address));
}

void files() {
  begin_part("files");
  in_child([] {
    set(open_files, 6, 6);
    int last = 0;
    i64 answer = 0;
    while ((answer = call(Call::dup, 0)) >= 0) last = static_cast<int>(answer);
    show("the last descriptor", last);
    show("and then", answer);
    show("dup2 behind it", call(Call::dup2, 0, 6));
    show("fcntl behind it", call(Call::fcntl, 0, control::duplicate, 6));
    int ends[2];
    show("a pipe", call(Call::pipe2, ends, 0));
    call(Call::close, 5);
    show("one is free", call(Call::dup, 0));
    return 0;
  });
  in_child([] {
    set_action(too_big, abi::ignore_handler);
    set(file_size, 1000, 1000);
    const i64 file = call(Call::open, "/tmp/limited", open_flag::create | open_flag::read_write, 0600);
    static char bytes[1500];
    show("as much as fits", call(Call::write, file, bytes, 1500));
    show("nothing more", call(Call::write, file, bytes, 1));
    show("nor somewhere behind", call(Call::pwrite64, file, bytes, 10, 2000));
    show("some of it", call(Call::pwrite64, file, bytes, 10, 995));
    show("before it all may", call(Call::pwrite64, file, bytes, 10, 0));
    show("ftruncate up to it", call(Call::ftruncate, file, 1000));
    show("ftruncate behind it", call(Call::ftruncate, file, 1001));
    show("truncate behind it", call(Call::truncate, "/tmp/limited", 5000));
    int ends[2];
    call(Call::pipe2, ends, 0);
    show("a pipe has no size", call(Call::write, ends[1], bytes, 1200));
    set_action(too_big, abi::default_handler);
    call(Call::write, file, bytes, 1);
    call(Call::lseek, file, 2000, 0);
    call(Call::write, file, bytes, 1);
    return 0;
  });
  show("SIGXFSZ ends it", in_child([] {
                            set(file_size, 10, 10);
                            const i64 file =
                                call(Call::open, "/tmp/limited", open_flag::write_only | open_flag::truncate, 0);
                            call(Call::write, file, "0123456789", 10);
                            call(Call::write, file, "0", 1);
                            return 0;
                          }) & 0x7F);
  call(Call::unlink, "/tmp/limited");
}

void spin() {
  for (volatile u64 i = 0;; i = i + 1) {
  }
}

void use_stack(u64 bytes) {
  asm volatile("movq %%rsp, %%rcx; 1: subq $4096, %%rsp; movq $0, (%%rsp); subq $4096, %0; ja 1b; movq %%rcx, %%rsp"
               : "+r"(bytes)
               :
               : "rcx", "memory", "cc");
}

void others() {
  begin_part("others");
  show("SIGXCPU after a second", in_child([] {
                                   set(cpu, 1, none);
                                   spin();
                                   return 0;
                                 }) & 0x7F);
  show("SIGKILL when there is no more", in_child([] {
                                          set_action(cpu_limit, abi::ignore_handler);
                                          set(cpu, 1, 2);
                                          spin();
                                          return 0;
                                        }) & 0x7F);
  in_child([] {
    set(space, u64{64} << 20, none);
    const i64 large = call(Call::mmap, nullptr, u64{64} << 20, 3, map::is_private | map::anonymous, -1, 0);
    show("an address space of 64 MiB has not so much left", large);
    const i64 small = call(Call::mmap, nullptr, u64{1} << 20, 3, map::is_private | map::anonymous, -1, 0);
    show("but one MiB", small > 0 ? 1 : small);
    const i64 end = call(Call::brk, 0);
    show("brk", call(Call::brk, end + (i64{64} << 20)) == end ? 0 : 1);
    return 0;
  });
  show("a stack of 1 MiB", in_child([] {
                             set(stack, u64{1} << 20, none);
                             use_stack(u64{512} << 10);
                             show("half of it", 1);
                             use_stack(u64{2} << 20);
                             return 0;
                           }) & 0x7F);
}

}  // namespace

int main_program(int, char**, char**) {
  keeping();
  files();
  others();
  return 0;
}
