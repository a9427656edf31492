// Signals: what a handler finds on its stack and may change there, other stacks, faults, floating-point registers.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

volatile int handled = 0;
volatile int last_number = 0;

i64 self() { return call(Call::getpid); }
i64 send(u32 number) { return call(Call::kill, self(), number); }

volatile u64 handler_stack = 0;
alignas(16) u8 other_stack[16384];

void frames() {
  begin_part("frame");
  handle(signal::user1, [](int, abi::SignalInformation* information, abi::UserContext* context) {
    last_number = information->signal;
    context->registers.rbx = 42;  // sigreturn takes it over
  });
  u64 rbx = 1;
  const i64 own = self();
  asm volatile("syscall"
               : "=b"(rbx)
               : "a"(static_cast<i64>(Call::kill)), "D"(own), "S"(static_cast<i64>(signal::user1)), "b"(rbx)
               : "rcx", "r11", "memory");
  show("a handler changes a register", static_cast<i64>(rbx));
  show("number in siginfo", last_number);
  abi::SignalStack stack{reinterpret_cast<u64>(other_stack), 0, 0, sizeof other_stack};
  show("sigaltstack", call(Call::sigaltstack, &stack, nullptr));
  handle(
      signal::user1,
      [](int, abi::SignalInformation*, abi::UserContext*) {
        int here = 0;
        handler_stack = reinterpret_cast<u64>(&here);
        abi::SignalStack now_used{};
        call(Call::sigaltstack, nullptr, &now_used);
        last_number = now_used.flags;
        abi::SignalStack other{reinterpret_cast<u64>(other_stack), 0, 0, sizeof other_stack};
        handled = static_cast<int>(call(Call::sigaltstack, &other, nullptr));
      },
      abi::signal_flag::on_stack);
  send(signal::user1);
  const u64 begin = reinterpret_cast<u64>(other_stack);
  show("the handler is on it", handler_stack >= begin && handler_stack < begin + sizeof other_stack);
  show("flags while on it", last_number);
  show("change while on it", handled);
  stack.size = 100;
  show("too small", call(Call::sigaltstack, &stack, nullptr));
  stack.size = sizeof other_stack;
  stack.flags = 9;
  show("flags 9", call(Call::sigaltstack, &stack, nullptr));
  show("a stack overflow is handled on another stack", in_child([] {
         abi::SignalStack own_stack{reinterpret_cast<u64>(other_stack), 0, 0, sizeof other_stack};
         call(Call::sigaltstack, &own_stack, nullptr);
         handle(
             signal::segmentation, [](int, abi::SignalInformation*, abi::UserContext*) { end(33); },
             abi::signal_flag::on_stack);
         asm volatile("1: subq $4096, %%rsp; movq $0, (%%rsp); jmp 1b" ::: "memory");
         return 0;
       }));
  show("without one it ends the process", in_child([] {
                                            handle(signal::segmentation,
                                                   [](int, abi::SignalInformation*, abi::UserContext*) { end(33); });
                                            asm volatile("1: subq $4096, %%rsp; movq $0, (%%rsp); jmp 1b" ::: "memory");
                                            return 0;
                                          }) & 0x7F);
  show("a blocked fault ends the process", in_child([] {
                                             handle(signal::segmentation,
                                                    [](int, abi::SignalInformation*, abi::UserContext*) { end(33); });
                                             change_mask(How::Block, signal_bit(signal::segmentation));
                                             *reinterpret_cast<volatile int*>(8) = 1;
                                             return 0;
                                           }) & 0x7F);
  show("sigreturn from nowhere", in_child([] {
                                   asm volatile("movq %0, %%rsp; movl $15, %%eax; syscall" ::"r"(unmapped_address));
                                   return 0;
                                 }) & 0x7F);
  show("a handler at a bad address", in_child([] {
                                       set_action(signal::user1, reinterpret_cast<u64>(kernel_address));
                                       send(signal::user1);
                                       return 0;
                                     }) & 0x7F);
}

volatile u64 fault_address = 0;
volatile int fault_code = 0;

void fault_information() {
  begin_part("fault");
  const Handler note = [](int, abi::SignalInformation* information, abi::UserContext* context) {
    fault_address = information->address;
    fault_code = information->code;
    context->registers.rip += 2;  // behind the instruction below: movl %ecx, (%rax)
  };
  handle(signal::segmentation, note);
  asm volatile("movl %%ecx, (%%rax)" ::"a"(unmapped_address), "c"(0) : "memory");
  show("address", static_cast<i64>(fault_address));
  show("code, not mapped", fault_code);
  u8* const page = fresh_pages(1, map::read);
  asm volatile("movl %%ecx, (%%rax)" ::"a"(page), "c"(0) : "memory");
  show("address of a read-only page", fault_address == reinterpret_cast<u64>(page));
  show("code, forbidden", fault_code);
  set_action(signal::segmentation, abi::default_handler);
  handle(signal::user1, [](int, abi::SignalInformation* information, abi::UserContext*) {
    fault_code = information->code;
    last_number = information->sender.process;
  });
  send(signal::user1);
  show("code of kill", fault_code);
  show("sender", last_number == self());
  call(Call::tkill, call(Call::gettid), signal::user1);
  show("code of tkill is SI_TKILL", fault_code == -6);
  handle(signal::child, [](int, abi::SignalInformation* information, abi::UserContext*) {
    fault_code = information->code;
    last_number = information->sender.status;
  });
  in_child([] { return 6; });
  show("code of a child's end", fault_code);
  show("its status", last_number);
  set_action(signal::child, abi::ignore_handler);
  const i64 child = start_child([] { return 0; });
  show("children of one who ignores them vanish", wait_for(child));
  set_action(signal::child, abi::default_handler);
}

volatile double kept = 0;

void floating_point() {
  begin_part("floating point");
  handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext*) { kept = kept * 3.5 + 1; });
  double sum = 0;
  const i64 own = self();
  for (int i = 0; i < 4; ++i) {
    double value = i + 0.5;
    asm volatile("syscall"
                 : "+x"(value)
                 : "a"(static_cast<i64>(Call::kill)), "D"(own), "S"(static_cast<i64>(signal::user1))
                 : "rcx", "r11", "memory");
    sum += value;
  }
  show("registers survive handlers", static_cast<i64>(sum * 10));
}

}  // namespace

int main_program(int, char**, char**) {
  frames();
  fault_information();
  floating_point();
  return 0;
}
