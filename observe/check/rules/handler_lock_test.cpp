#include "observe/check/rules/handler_lock.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

constexpr u8 vector = 0x40;
constexpr u64 lock = 0x5000;

struct HandlerLock : FlowBench {
  HandlerLock() {
    protected_mode();
    set_gate(vector);
    watch(HandlerLockRule::maker());
  }
  /// mov eax,1; xchg [0x5000],eax; test eax,eax; jnz: a spin lock.
  void put_lock(u64 address) {
    put(address, {0xB8, 1, 0, 0, 0, 0x87, 0x05, 0x00, 0x50, 0, 0, 0x85, 0xC0, 0x75, 0xF1, 0xF4});
  }
  /// sti; jmp $: then the interrupt comes, and the machine looks around every 100 us and a little.
  void run_into_handler() {
    put(program, {0xFB, 0xEB, 0xFE});
    cpu->state.rip = program;
    step(5);
    interrupt(vector);
    for (int i = 0; i < 60; ++i) {
      step(100'001);
      look();
    }
  }
};

TEST_F(HandlerLock, a_handler_that_spins_on_a_held_lock_is_an_error) {
  put_lock(handler(vector));
  store<u32>(lock, 1);
  run_into_handler();
  EXPECT_THAT(found(), ElementsAre("error handler-lock"));
  EXPECT_EQ(result.findings[0].address, handler(vector) + 5);
  EXPECT_NE(result.findings[0].sentence.find(address_mark(lock)), std::string::npos) << result.findings[0].sentence;
}

TEST_F(HandlerLock, a_free_lock_is_taken_and_nothing_is_said) {
  put_lock(handler(vector));
  run_into_handler();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerLock, a_wait_in_a_thread_is_no_handler) {
  put_lock(program);
  store<u32>(lock, 1);
  for (int i = 0; i < 60; ++i) {
    step(100'001);
    look();
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerLock, a_wait_that_counts_its_rounds_will_end) {
  // cmp dword [0x5000],0; loopne -9
  put(handler(vector), {0x83, 0x3D, 0x00, 0x50, 0, 0, 0, 0xE0, 0xF7, 0xF4});
  store<u32>(lock, 1);
  run_into_handler();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerLock, a_wait_for_a_port_is_a_wait_for_a_device) {
  // test byte [0x5000],0; in al,dx; jmp -10
  put(handler(vector), {0xF6, 0x05, 0x00, 0x50, 0, 0, 0, 0xEC, 0xEB, 0xF6});
  run_into_handler();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerLock, an_endless_loop_that_reads_nothing_is_no_lock) {
  put(handler(vector), {0xEB, 0xFE});
  run_into_handler();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerLock, a_wait_with_interrupts_on_can_end) {
  put(handler(vector), {0xFB, 0x83, 0x3D, 0x00, 0x50, 0, 0, 1, 0x74, 0xF7, 0xF4});
  store<u32>(lock, 1);
  run_into_handler();
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
