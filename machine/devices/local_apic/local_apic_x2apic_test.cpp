// SDM vol. 3A §10.12: the x2APIC's MSRs, its ids, the ways between the modes.
#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using enum LocalInterrupts::MsrResult;

// Figure 10-27. Bits 11 and 10: 2 is off, xAPIC 2, x2APIC 3.
TEST(X2Apic, only_the_valid_transitions_are_taken) {
  constexpr u64 off = 0xFEE00100, xapic = 0xFEE00900, x2apic = 0xFEE00D00, invalid = 0xFEE00500;
  struct Row {
    std::vector<u64> way;
    u64 to;
    LocalInterrupts::MsrResult expected;
  };
  const Row rows[] = {
      {{}, x2apic, Done},
      {{}, off, Done},
      {{}, invalid, Refused},
      {{x2apic}, xapic, Refused},
      {{x2apic}, off, Done},
      {{x2apic}, invalid, Refused},
      {{x2apic}, x2apic, Done},
      {{off}, x2apic, Refused},
      {{off}, xapic, Done},
      {{off}, invalid, Refused},
      {{x2apic, off}, xapic, Done},
      {{}, xapic | 1, Refused},
      {{}, xapic | 1 << 9, Refused},
      {{}, xapic | u64{1} << physical_address_bits, Refused},
      {{}, u64{0xFF} << 32 | 0x900, Done},
  };
  for (const Row& row : rows) {
    ApicBench bench;
    for (const u64 step : row.way) ASSERT_EQ(bench.write_msr(msr::apic_base, step), Done);
    const u64 before = bench.read_msr(msr::apic_base);
    EXPECT_EQ(bench.write_msr(msr::apic_base, row.to), row.expected) << std::hex << before << " to " << row.to;
    EXPECT_EQ(bench.read_msr(msr::apic_base), row.expected == Done ? row.to : before);
  }
}

// §10.12.1: where CPUID does not show x2APIC, bit 10 is reserved.
TEST(X2Apic, hidden_it_can_not_be_entered) {
  ApicBench bench(1, {}, LocalApic::Modes::XapicOnly);
  EXPECT_FALSE(bench.apic().has_x2apic());
  EXPECT_EQ(bench.write_msr(msr::apic_base, 0xFEE00D00), Refused);
  EXPECT_EQ(bench.read_msr(msr::apic_base), 0xFEE00900u);
  EXPECT_EQ(bench.read_msr(0x802), ~u64{0});
}

// Table 10-6, and what its notes say of reserved bits.
TEST(X2Apic, registers_can_be_read_and_written_as_the_table_says) {
  struct Row {
    u32 number;
    bool readable;
    bool zero_writable;
    u64 writable, refused;
  };
  constexpr u64 high = u64{1} << 32;
  constexpr Row rows[] = {
      {0x800, false, false, 0, 0},          {0x802, true, false, 0, 0},
      {0x803, true, false, 0, 0},           {0x808, true, true, 0xFF, 0x100},
      {0x809, false, false, 0, 0},          {0x80A, true, false, 0, 0},
      {0x80B, false, true, 0, 1},           {0x80C, false, false, 0, 0},
      {0x80D, true, false, 0, 0},           {0x80E, false, false, 0, 0},
      {0x80F, true, true, 0x13FF, 0x400},   {0x810, true, false, 0, 0},
      {0x817, true, false, 0, 0},           {0x81F, true, false, 0, 0},
      {0x827, true, false, 0, 0},           {0x828, true, true, 0, 1},
      {0x829, false, false, 0, 0},          {0x82F, true, true, 0x105FE, 0x800},
      {0x831, false, false, 0, 0},          {0x832, true, true, 0x700FE, 0x100},
      {0x833, true, true, 0x107FE, 0x2000}, {0x834, true, true, 0x107FE, 0x2000},
      {0x835, true, true, 0x1A7FE, 0x800},  {0x836, true, true, 0x1A7FE, 0x20000},
      {0x837, true, true, 0x100FE, 0x100},  {0x838, true, true, 0xFFFFFFFF, high},
      {0x839, true, false, 0, 0},           {0x83E, true, true, 0xB, 4},
      {0x83F, false, false, 0x41, 0x100},   {0x840, false, false, 0, 0},
      {0x8FF, false, false, 0, 0},
  };
  for (const Row& row : rows) {
    ApicBench bench;
    bench.enable();
    EXPECT_EQ(bench.read_msr(row.number), ~u64{0}) << std::hex << row.number << " in xAPIC mode";
    EXPECT_EQ(bench.write_msr(row.number, 0), Refused) << std::hex << row.number << " in xAPIC mode";
    bench.enable_x2apic();
    EXPECT_EQ(bench.read_msr(row.number) != ~u64{0}, row.readable) << std::hex << row.number;
    if (row.number != 0x83F) {
      EXPECT_EQ(bench.write_msr(row.number, 0) == Done, row.zero_writable) << std::hex << row.number;
    }
    bench.write_msr(0x80F, 0x1FF);
    if (row.writable != 0) {
      EXPECT_EQ(bench.write_msr(row.number, row.writable), Done) << std::hex << row.number;
      if (row.readable) EXPECT_EQ(bench.read_msr(row.number), row.writable) << std::hex << row.number;
    }
    if (row.refused != 0) EXPECT_EQ(bench.write_msr(row.number, row.refused), Refused) << std::hex << row.number;
    EXPECT_EQ(bench.write_msr(row.number, high | row.writable), Refused) << std::hex << row.number;
  }
}

TEST(X2Apic, id_and_logical_id_follow_from_the_initial_id) {
  ApicBench bench(35);
  for (const unsigned i : {0u, 17u, 34u}) {
    bench.write(offset::id, 0xAB000000, i);
    bench.enable_x2apic(i);
    EXPECT_EQ(bench.read_msr(0x802, i), i);
    EXPECT_EQ(bench.read_msr(0x80D, i), (i / 16) << 16 | 1u << i % 16);
    EXPECT_FALSE(bench.apic(i).selects(0xFEE00000));
  }
}

TEST(X2Apic, command_reaches_physical_logical_and_everybody) {
  struct Row {
    const char* name;
    u64 command;
    std::string_view receivers;
  };
  constexpr Row rows[] = {
      {"physical", u64{2} << 32 | 0x4041, "2"},
      {"FFh is an id like others", u64{0xFF} << 32 | 0x4041, ""},
      {"broadcast", u64{0xFFFFFFFF} << 32 | 0x4041, "0123"},
      {"logical", u64{0xA} << 32 | 0x4841, "13"},
      {"another cluster", u64{0x1000A} << 32 | 0x4841, ""},
      {"all but self", 0xC4041, "123"},
  };
  for (const Row& row : rows) {
    ApicBench bench(4);
    bench.enable();
    for (unsigned i = 0; i < 4; ++i) bench.enable_x2apic(i);
    EXPECT_EQ(bench.write_msr(0x830, row.command), Done);
    EXPECT_EQ(bench.read_msr(0x830), row.command);
    std::string receivers;
    for (unsigned i = 0; i < 4; ++i) {
      if (bench.take(i) == 0x41) receivers += static_cast<char>('0' + i);
    }
    EXPECT_EQ(receivers, row.receivers) << row.name;
  }
}

TEST(X2Apic, command_with_a_reserved_bit_is_refused) {
  for (const unsigned position : {12u, 13u, 16u, 17u, 20u, 31u}) {
    ApicBench bench;
    bench.enable();
    bench.enable_x2apic();
    EXPECT_EQ(bench.write_msr(0x830, 0x41 | u64{1} << position), Refused) << position;
    EXPECT_FALSE(bench.wanted());
  }
}

// §10.12.11.
TEST(X2Apic, self_ipi_reaches_this_cpu_only) {
  ApicBench bench(2);
  bench.enable();
  bench.enable_x2apic();
  EXPECT_EQ(bench.write_msr(0x83F, 0x41), Done);
  EXPECT_EQ(bench.take(0), 0x41);
  EXPECT_FALSE(bench.wanted(1));
  EXPECT_EQ(bench.write_msr(0x83F, 0x05), Done);
  bench.write_msr(0x828, 0);
  EXPECT_EQ(bench.read_msr(0x828), error_send_vector);
}

// §10.12.5.1: messages with 8-bit destinations (I/O APIC, MSI) reach an x2APIC too.
TEST(X2Apic, short_destinations_are_understood) {
  ApicBench bench(3);
  bench.enable();
  for (unsigned i = 0; i < 3; ++i) bench.enable_x2apic(i);
  EXPECT_EQ(bench.send({.destination = 1, .vector = 0x41}), 1u);
  EXPECT_EQ(bench.send({.destination = 6, .vector = 0x42, .logical = true}), 2u);
  EXPECT_EQ(bench.send({.destination = 0xFF, .vector = 0x43}), 3u);
}

TEST(X2Apic, entering_keeps_what_is_pending_and_in_service) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x41);
  bench.take();
  bench.interrupt(0x51);
  bench.write(offset::logical_destination, 0x55000000);
  bench.enable_x2apic();
  EXPECT_EQ(bench.read_msr(0x812), 2u);
  EXPECT_EQ(bench.read_msr(0x822), 1u << 17);
  EXPECT_EQ(bench.take(), 0x51);
  EXPECT_EQ(bench.write_msr(0x80B, 0), Done);
  EXPECT_EQ(bench.write_msr(0x80B, 0), Done);
  EXPECT_TRUE(bench.apic().in_service().empty());
}

}  // namespace
}  // namespace vitrine
