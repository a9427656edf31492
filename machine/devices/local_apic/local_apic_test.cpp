// The rules of SDM vol. 3A chapter 10, by section: vectors, priorities, EOI, errors.
#include "machine/devices/local_apic/local_apic.hpp"

#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using enum LocalInterrupts::MsrResult;

DeviceUnderTest one_apic() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& holder = bench.add<ApicBusHolder>("bus");
            auto& around = bench.add<ApicSurroundings>("around");
            auto& apic = bench.add<LocalApic>("lapic0", LocalApic::Identity{.cpu = 0, .initial_id = 3}, holder.bus,
                                              bench.output("intr", InterruptLine::no_number), around, &around);
            holder.bus.attach(apic);
            for (u8 pin = 0; pin < 3; ++pin) bench.input(apic, Pin(pin), "pin", InterruptLine::no_number);
            const auto act = [&bench](auto action) { bench.actions.emplace_back(action); };
            act([&apic] { apic.acknowledge(); });
            act([&apic] { apic.write_register(offset::spurious_vector, 4, 0x1FF); });
            act([&apic, &around] {
              around.instructions += 100'000;
              apic.set_task_priority_class(static_cast<u8>(around.instructions >> 5));
            });
            act([&apic, &bench] {
              const u64 draw = bench.ledger.next_request().value;
              apic.accept({.vector = static_cast<u8>(draw * 37), .level = (draw & 1) != 0, .request = RequestId(draw)});
            });
            act([&apic, &bench] {
              device_suite::Random random(bench.ledger.next_request().value);
              static constexpr u32 numbers[] = {msr::apic_base,
                                                msr::tsc_deadline,
                                                msr::thermal_status,
                                                msr::thermal_interrupt,
                                                0x808,
                                                0x80B,
                                                0x80F,
                                                0x830,
                                                0x832};
              u64 value = 0;
              (void)apic.read_msr(numbers[random.below(9)], value);
              (void)apic.write_msr(numbers[random.below(9)], value ^ random.below(4096));
              apic.tsc_offset_changed(random.below(1000));
            });
            return apic;
          },
          .regions = {{LocalApic::registers, 0x400}},
          .invariant = nullptr,
          .accesses = 50'000};
}
VITRINE_COMMON_DEVICE_SUITE(LocalApic, one_apic());

// §10.4.7.1.
TEST(LocalApic, power_on_gives_the_registers_of_the_manual) {
  ApicBench bench(2);
  struct Row {
    u32 offset, expected;
  };
  constexpr Row rows[] = {
      {offset::id, 0},
      {offset::version, 0x01060014},
      {offset::task_priority, 0},
      {offset::processor_priority, 0},
      {offset::eoi, 0},
      {offset::logical_destination, 0},
      {offset::error_status, 0},
      {offset::destination_format, 0xFFFFFFFF},
      {offset::command_low, 0},
      {offset::spurious_vector, 0xFF},
      {offset::command_high, 0},
      {offset::lvt_cmci, 0x10000},
      {offset::lvt_timer, 0x10000},
      {offset::lvt_thermal, 0x10000},
      {offset::lvt_lint0, 0x10000},
      {offset::lvt_performance, 0x10000},
      {offset::lvt_lint1, 0x10000},
      {offset::lvt_error, 0x10000},
      {offset::initial_count, 0},
      {offset::current_count, 0},
      {offset::divide, 0},
  };
  for (const Row& row : rows) EXPECT_EQ(bench.read(row.offset), row.expected) << std::hex << row.offset;
  EXPECT_EQ(bench.read(offset::id, 1), 0x01000000u);
  EXPECT_EQ(bench.read_msr(msr::apic_base, 0), 0xFEE00900u);
  EXPECT_EQ(bench.read_msr(msr::apic_base, 1), 0xFEE00800u);
}

// §10.8.3, §10.8.4.
TEST(LocalApic, higher_class_nests_and_same_class_waits) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x51);
  EXPECT_EQ(bench.take(), 0x51);
  EXPECT_EQ(bench.read(offset::processor_priority), 0x50u);
  bench.interrupt(0x5F);
  EXPECT_FALSE(bench.wanted()) << "class 5 is in service";
  bench.interrupt(0x60);
  bench.interrupt(0x61);
  EXPECT_EQ(bench.take(), 0x61);
  EXPECT_FALSE(bench.wanted());
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x60);
  bench.eoi();
  EXPECT_FALSE(bench.wanted());
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x5F);
  bench.eoi();
  EXPECT_EQ(bench.read(offset::processor_priority), 0u);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApic, two_requests_of_a_vector_are_held_and_a_third_merges) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x41);
  EXPECT_EQ(bench.take(), 0x41);
  bench.interrupt(0x41);
  bench.interrupt(0x41);
  EXPECT_EQ(bench.bench.records(RecordKind::Merged).size(), 1u);
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  EXPECT_FALSE(bench.wanted());
}

// §10.8.3.1: PPR shows the subclass of TPR only when TPR decides.
TEST(LocalApic, task_priority_masks_its_class_and_below) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::task_priority, 0x57);
  EXPECT_EQ(bench.read(offset::processor_priority), 0x57u);
  EXPECT_EQ(bench.apic().task_priority_class(), 5u);
  bench.interrupt(0x5F);
  EXPECT_FALSE(bench.wanted());
  bench.interrupt(0x60);
  EXPECT_EQ(bench.take(), 0x60);
  EXPECT_EQ(bench.read(offset::processor_priority), 0x60u);
  bench.eoi();
  EXPECT_FALSE(bench.wanted());
  bench.apic().set_task_priority_class(4);
  EXPECT_EQ(bench.read(offset::task_priority), 0x40u);
  EXPECT_EQ(bench.take(), 0x5F);
}

// §10.9.
TEST(LocalApic, late_acknowledge_gets_the_spurious_vector_and_sets_no_service_bit) {
  ApicBench bench;
  bench.write(offset::spurious_vector, 0x1EF);
  bench.interrupt(0x41);
  bench.write(offset::task_priority, 0x40);
  const Acknowledged answer = bench.apic().acknowledge();
  EXPECT_TRUE(answer.spurious);
  EXPECT_EQ(answer.vector, Vector(0xEF));
  EXPECT_TRUE(bench.apic().in_service().empty());
  const std::vector<Record> told = bench.bench.records(RecordKind::Spurious);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].detail, static_cast<u8>(SpuriousCause::Outranked));
  bench.write(offset::task_priority, 0);
  EXPECT_EQ(bench.take(), 0x41) << "the request is still there";
}

// §10.8.5 and §10.8.4: TMR, and what the I/O APICs hear.
TEST(LocalApic, eoi_of_a_level_interrupt_is_broadcast_unless_suppressed) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x41);
  bench.take();
  bench.eoi();
  EXPECT_TRUE(bench.eois.heard.empty());
  bench.send({.destination = 0, .vector = 0x41, .level = true});
  EXPECT_EQ(bench.read(offset::trigger_mode + 0x20), 2u);
  bench.take();
  bench.eoi();
  EXPECT_EQ(bench.eois.heard, std::vector<u8>{0x41});
  bench.write(offset::spurious_vector, 0x11FF);
  bench.send({.destination = 0, .vector = 0x41, .level = true});
  bench.take();
  bench.eoi();
  EXPECT_EQ(bench.eois.heard.size(), 1u);
  bench.interrupt(0x41);
  EXPECT_EQ(bench.read(offset::trigger_mode + 0x20), 0u) << "an edge clears the bit";
}

TEST(LocalApic, eoi_with_nothing_in_service_is_told_and_does_nothing) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x41);
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x41);
  const std::vector<Record> told = bench.bench.records(RecordKind::EndOfInterrupt);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].id, 0u);
}

// §10.4.7.2.
TEST(LocalApic, disabled_by_software_it_takes_nmi_init_and_sipi_only) {
  ApicBench bench;
  EXPECT_EQ(bench.send({.destination = 0, .vector = 0x41}), 0u);
  EXPECT_EQ(bench.send({.destination = 0, .mode = MessageMode::ExtInt}), 0u);
  EXPECT_EQ(bench.send({.destination = 0, .mode = MessageMode::Nmi}), 1u);
  EXPECT_EQ(bench.send({.destination = 0, .mode = MessageMode::Init}), 1u);
  EXPECT_EQ(bench.send({.destination = 0, .mode = MessageMode::Init, .level = true, .asserted = false}), 1u);
  EXPECT_EQ(bench.send({.destination = 0, .vector = 0x9F, .mode = MessageMode::StartUp}), 1u);
  EXPECT_EQ(bench.around().said, "nmi init sipi159");
  bench.write(offset::lvt_timer, 0x41);
  EXPECT_EQ(bench.read(offset::lvt_timer), 0x10041u) << "the mask bit can't be cleared";
}

TEST(LocalApic, disabling_by_software_masks_all_entries_and_keeps_what_is_pending) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_timer, 0x41);
  bench.interrupt(0x51);
  bench.write(offset::spurious_vector, 0xFF);
  EXPECT_EQ(bench.read(offset::lvt_timer), 0x10041u);
  EXPECT_EQ(bench.take(), 0x51);
}

// §10.5.3.
TEST(LocalApic, errors_are_collected_until_a_write_shows_them) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_error, 0xFE);
  bench.interrupt(0x0F);
  EXPECT_EQ(bench.read(offset::error_status), 0u) << "not before a write";
  EXPECT_EQ(bench.take(), 0xFE);
  bench.eoi();
  bench.write(offset::command_low, 0x4003);
  (void)bench.read(0x40);
  EXPECT_FALSE(bench.wanted()) << "the interrupt is not armed before the next write";
  bench.write(offset::error_status, 0);
  EXPECT_EQ(bench.read(offset::error_status), error_receive_vector | error_send_vector | error_register);
  bench.write(offset::error_status, 0);
  EXPECT_EQ(bench.read(offset::error_status), 0u);
  bench.write(0x3F0, 0);  // self IPI is no register of the page
  EXPECT_EQ(bench.take(), 0xFE);
}

TEST(LocalApic, error_entry_with_an_illegal_vector_ends) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_error, 0x05);
  bench.interrupt(0x0F);
  EXPECT_FALSE(bench.wanted());
  bench.write(offset::error_status, 0);
  EXPECT_EQ(bench.read(offset::error_status), error_receive_vector);
}

// §10.4.7.3.
TEST(LocalApic, init_keeps_id_and_base_only) {
  ApicBench bench;
  bench.enable();
  bench.interrupt(0x51);
  bench.write(offset::id, 0x09000000);
  bench.write(offset::lvt_timer, 0x41);
  bench.write(offset::initial_count, 1000);
  bench.apic().init();
  EXPECT_EQ(bench.read(offset::id), 0x09000000u);
  EXPECT_EQ(bench.read(offset::spurious_vector), 0xFFu);
  EXPECT_EQ(bench.read(offset::lvt_timer), 0x10000u);
  EXPECT_EQ(bench.read(offset::initial_count), 0u);
  EXPECT_FALSE(bench.wanted());
  EXPECT_EQ(bench.bench.records(RecordKind::Withdrawn).size(), 1u);
  bench.advance(10'000);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApic, enabling_again_gives_the_initial_id_back) {
  ApicBench bench(2);
  bench.write(offset::id, 0x07000000, 1);
  EXPECT_EQ(bench.send({.destination = 7, .mode = MessageMode::Nmi}), 1u);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFEE00000, 1), Done);
  ASSERT_EQ(bench.write_msr(msr::apic_base, 0xFED40800, 1), Done);
  EXPECT_TRUE(bench.apic(1).selects(0xFED40FFF));
  EXPECT_FALSE(bench.apic(1).selects(0xFEE00000));
  EXPECT_EQ(bench.read(offset::id, 1), 0x01000000u);
}

TEST(LocalApic, blocked_request_names_who_is_in_the_way) {
  ApicBench bench;
  bench.enable();
  bench.bench.ledger.context.address = 0x1234;
  bench.write(offset::task_priority, 0x50);
  bench.interrupt(0x41);
  bench.interrupt(0x61);
  bench.take();
  const std::vector<Record> told = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].detail, static_cast<u8>(Obstacle::PriorityTooLow));
  EXPECT_EQ(told[0].address, 0x1234u);
  EXPECT_EQ(told[0].other, 0u);
  EXPECT_EQ(told[0].extra, 0x50u);
  EXPECT_EQ(told[1].id, told[0].id);
  EXPECT_NE(told[1].other, 0u) << "then the one in service";
}

}  // namespace
}  // namespace vitrine
