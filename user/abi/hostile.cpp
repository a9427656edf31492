// What could harm a kernel: flags, selectors and addresses that an IRET refuses, sizes that overflow, objects whose
// process has gone. Each of these once ended Pulse.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr u64 nested_task = 0x4000, page = 4096;

i64 self() { return call(Call::getpid); }
i64 send(u32 number) { return call(Call::kill, self(), number); }

i64 watched_signals(i64 queue) {
  const u64 mask = signal_bit(signal::user1);
  const i64 file = call(Call::signalfd4, -1, &mask, sizeof mask, 0);
  EpollEvent event{ready::in, 7};
  call(Call::epoll_ctl, queue, epoll::add, file, &event);
  return file;
}

i64 queue_, file_;

i64 told() {
  EpollEvent event{};
  return call(Call::epoll_wait, queue_, &event, 1, 0);
}

void watched_signal_files() {
  begin_part("signalfd in epoll");
  change_mask(How::Block, signal_bit(signal::user1));
  show("its process ends", in_child([] {
         watched_signals(call(Call::epoll_create1, 0));
         return 3;
       }));
  queue_ = call(Call::epoll_create1, 0);
  file_ = watched_signals(queue_);
  in_child([] { return static_cast<int>(call(Call::epoll_ctl, queue_, epoll::remove, file_, nullptr)); });
  send(signal::user1);
  show("a child took it out", told());
  call(Call::close, file_);
  file_ = watched_signals(queue_);
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    call(Call::close, file_);
    return 0;
  });
  call(Call::close, file_);
  show("a child closes it last", wait_for(child));
  send(signal::user1);
  show("nothing watches any more", told());
  file_ = watched_signals(queue_);
  show("another one is told", told());
  show("the one who watches ends before the others", in_child([] {
         const i64 queue = call(Call::epoll_create1, 0);
         queue_ = queue;
         const i64 watcher = start_child([] {
           watched_signals(queue_);
           return 0;
         });
         wait_for(watcher);
         return static_cast<int>(told());
       }));
  const u64 mask = signal_bit(signal::user1);
  const Time none{0, 0};
  call(Call::rt_sigtimedwait, &mask, nullptr, &none, sizeof mask);
  change_mask(How::Set, 0);
  for (const i64 file : {file_, queue_}) call(Call::close, file);
}

u64 flags_now() {
  u64 flags;
  asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
  return flags;
}
void set_nested_task() { asm volatile("pushfq; orq %0, (%%rsp); popfq" ::"i"(nested_task) : "memory", "cc"); }
void clear_nested_task() { asm volatile("pushfq; andq %0, (%%rsp); popfq" ::"i"(~nested_task) : "memory", "cc"); }

void nested_task_flag() {
  begin_part("NT");
  set_nested_task();
  call(Call::getpid);
  show("after a call", (flags_now() & nested_task) != 0);
  const i64 child = call(Call::fork);
  if (child == 0) {
    call(Call::sched_yield);
    end((flags_now() & nested_task) != 0 ? 1 : 0);
  }
  call(Call::sched_yield);
  sleep_milliseconds(5);
  show("after another thread's turn", (flags_now() & nested_task) != 0);
  clear_nested_task();
  show("in a child", wait_for(child));
  show("an IRET of the program's own", in_child([] {
                                         set_nested_task();
                                         asm volatile("iretq");
                                         return 0;
                                       }) & 0x7F);
}

void handler_at(u64 address) {
  handle(signal::user1, reinterpret_cast<Handler>(address));
  send(signal::user1);
}

void handlers() {
  begin_part("handler");
  show("at no canonical address", in_child([] {
                                    handler_at(0x8000'0000'0000'0000);
                                    return 0;
                                  }) & 0x7F);
  show("in the kernel's half", in_child([] {
                                 handler_at(0xFFFF'8000'0000'0000);
                                 return 0;
                               }) & 0x7F);
  show("behind the last address", in_child([] {
                                    handler_at(0x7FFF'FFFF'F000);
                                    return 0;
                                  }) & 0x7F);
  show("with a stack at no address", in_child([] {
                                       handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext*) {});
                                       const i64 own = self();
                                       asm volatile("movq %3, %%rsp; syscall" ::"a"(static_cast<i64>(Call::kill)),
                                                    "D"(own), "S"(static_cast<i64>(signal::user1)),
                                                    "r"(0x8000'0000'0000'0000)
                                                    : "rcx", "r11", "memory");
                                       return 0;
                                     }) & 0x7F);
  handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext* context) { context->mask = ~u64{0}; });
  send(signal::user1);
  u64 mask = 0;
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("that wants all signals blocked", static_cast<i64>(~mask));
  change_mask(How::Set, 0);
}

u8* state_of(abi::UserContext* context) { return reinterpret_cast<u8*>(context->registers.floating_point); }
u32& mxcsr_of(abi::UserContext* context) { return *reinterpret_cast<u32*>(state_of(context) + 24); }

/// What a handler leaves where its frame says that x87 and SSE registers are.
void floating_point_frames() {
  begin_part("floating point frame");
  static constexpr u64 elsewhere[] = {0x1000, 0x8000'0000'0000'0000, 0xFFFF'8000'0000'0000, 0x7FFF'FFFF'EFF0};
  static u64 address;
  for (const u64 one : elsewhere) {
    address = one;
    show("at a bad address", in_child([] {
                               handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext* context) {
                                 context->registers.floating_point = address;
                               });
                               send(signal::user1);
                               return 0;
                             }) & 0x7F);
  }
  show("not on 16 bytes", in_child([] {
                            handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext* context) {
                              context->registers.floating_point += 8;
                            });
                            send(signal::user1);
                            return 0;
                          }) & 0x7F);
  show("with a reserved bit of MXCSR",
       in_child([] {
         handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext* c) { mxcsr_of(c) |= 0x8000'0000; });
         send(signal::user1);
         return 0;
       }) & 0x7F);
  constexpr u32 round_up = 0x5F80, round_down = 0x3F80;
  handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext* context) { mxcsr_of(context) = round_up; });
  send(signal::user1);
  u32 mxcsr = 0;
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  show("MXCSR of the handler's choice", mxcsr);
  handle(signal::user1,
         [](int, abi::SignalInformation*, abi::UserContext* context) { context->registers.floating_point = 0; });
  mxcsr = round_down;
  asm volatile("ldmxcsr %0" ::"m"(mxcsr));
  send(signal::user1);
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  show("MXCSR without a frame", mxcsr);
}

void selectors() {
  begin_part("selector");
  show("a far jump to 0x1B", in_child([] {
                               asm volatile(
                                   "subq $16, %%rsp; leaq 1f(%%rip), %%rax; movl %%eax, (%%rsp); movl $0x1B, 4(%%rsp)\n"
                                   "ljmpl *(%%rsp)\n"
                                   "1: syscall" ::
                                       : "rax", "rcx", "r11", "memory");
                               return 0;
                             }) & 0x7F);
}

char text[120'000];
char* many_texts[4001];

void sizes() {
  begin_part("size");
  const auto map_anonymous = [](u64 size, int protection) {
    return call(Call::mmap, nullptr, size, protection, map::is_private | map::anonymous, -1, 0);
  };
  show("mmap of all but a page", map_anonymous(~u64{0} - page + 1, map::read | map::write));
  show("of all but 64 KiB", map_anonymous(~u64{0} - 0xFFFF, map::read | map::write));
  show("of half of all", map_anonymous(u64{1} << 63, map::read));
  constexpr u64 terabyte = u64{1} << 40;
  const i64 large = map_anonymous(64 * terabyte, 0);
  show("of 64 TiB, untouchable", large > 0);
  show("mprotect of that", call(Call::mprotect, large, 64 * terabyte, map::read));
  show("a byte of it", *reinterpret_cast<volatile u8*>(large + 5 * static_cast<i64>(terabyte)));
  show("munmap of it", call(Call::munmap, large, 64 * terabyte));
  for (char& byte : text) byte = 'x';
  text[sizeof text - 1] = 0;
  for (char*& one : many_texts) one = text;
  many_texts[4000] = nullptr;
  show("execve with 4000 texts of 120 KB", call(Call::execve, "/abi/hostile", many_texts, nullptr));
  many_texts[0] = nullptr;
  show("with as large an environment", call(Call::execve, "/abi/hostile", nullptr, many_texts + 1));
}

}  // namespace

int main_program(int, char**, char**) {
  watched_signal_files();
  nested_task_flag();
  handlers();
  floating_point_frames();
  selectors();
  sizes();
  return 0;
}
