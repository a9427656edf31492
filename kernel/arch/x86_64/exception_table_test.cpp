#include "kernel/arch/x86_64/exception_table.hpp"

#include <gtest/gtest.h>

#include "abi/linux_signal.hpp"

namespace {

using namespace pulse;
namespace signal = vitrine::abi::signal;

std::string said(u64 vector) {
  char buffer[80];
  BufferSink text(buffer);
  put_exception(text, vector);
  return std::string(text.text());
}

TEST(ExceptionTable, names_have_a_mnemonic_only_where_the_manual_has_one) {
  EXPECT_EQ(said(14), "page fault (#PF, vector 14)");
  EXPECT_EQ(said(9), "coprocessor segment overrun (vector 9)");
  for (const u64 vector : {15U, 22U, 23U, 24U, 25U, 26U, 27U, 31U}) {
    EXPECT_EQ(said(vector), "reserved exception (vector " + std::to_string(vector) + ")");
  }
}

TEST(ExceptionTable, a_program_answers_for_what_its_instructions_did) {
  EXPECT_EQ(signal_of_exception(0), signal::arithmetic);
  EXPECT_EQ(signal_of_exception(3), signal::trap);
  EXPECT_EQ(signal_of_exception(6), signal::illegal);
  EXPECT_EQ(signal_of_exception(12), signal::bus);
  EXPECT_EQ(signal_of_exception(13), signal::segmentation);
  EXPECT_EQ(signal_of_exception(14), signal::segmentation);
}

TEST(ExceptionTable, no_program_gets_a_signal_for_a_machine_check_a_double_fault_or_a_reserved_vector) {
  for (const u64 vector : {2U, 8U, 9U, 15U, 18U, 20U, 22U, 27U, 28U, 31U}) {
    EXPECT_FALSE(signal_of_exception(vector)) << vector;
  }
}

}  // namespace
