// Compatibility mode: 32-bit code under IA-32e paging.
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {

struct CompatibilityMode : SystemBench {
  CompatibilityMode() {
    long_mode();
    // The last 2 MiB below 4 GiB are the last of RAM.
    store<u64>(page_tables + 0x1000 + 3 * 8, (page_tables + 0x3000) | 7);
    store<u64>(page_tables + 0x3000 + 511 * 8, (ram_size - (2u << 20)) | 0x87);
    enter(code0, data0, kernel_stack);
  }
};

TEST_F(CompatibilityMode, an_access_that_straddles_4_gib_goes_on_at_0) {
  store<u16>(ram_size - 2, 0x1234);
  store<u16>(0, 0x5678);
  put(program, {0xA1, 0xFE, 0xFF, 0xFF, 0xFF, 0xF4});  // mov eax, [0xFFFFFFFE]; hlt
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(reg(rax), 0x56781234u);
}

}  // namespace vitrine
