// For tests: rules on a real CPU that runs a few bytes of code, or on records made by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "machine/cpu/system_test_bench.hpp"
#include "observe/check/sanitizer.hpp"

namespace vitrine {

struct FlowBench : SystemBench {
  enum Source : u16 { cpu0, pic0, pic1, com1 };
  static constexpr u8 first_irq = 0x40;  // vector of IRQ 0 once remap() has been called

  ~FlowBench() override { cpu->set_probe(nullptr); }

  /// The maker's rules watch the CPU from now on.
  void watch(const RuleMaker& maker) { start(maker, &ledger); }
  /// They get records alone, as from a trace.
  void read_trace(const RuleMaker& maker) { start(maker, nullptr); }

  void remap() {
    program_controller(pic0, ControllerRegister::VectorBase, first_irq);
    program_controller(pic1, ControllerRegister::VectorBase, first_irq + 8);
    set_mask(pic0, 0xFF);
    set_mask(pic1, 0xFF);
  }
  void program_controller(Source chip, ControllerRegister which, u64 value) {
    add({.address = 0x501,
         .extra = value,
         .kind = RecordKind::ControllerProgrammed,
         .pin = first_pin(chip),
         .detail = static_cast<u8>(which),
         .source = chip});
  }
  void set_mask(Source chip, u8 value, u64 address = 0x500) {
    u8& mask = masks[chip - pic0];
    add({.address = address,
         .other = mask,
         .extra = value,
         .kind = RecordKind::MaskChanged,
         .pin = first_pin(chip),
         .source = chip});
    mask = value;
  }
  /// A record at the bench's own time, which moves on by one.
  void add(Record record) {
    if (traced) {
      record.time = record.instructions = ++time;
      sanitizer->consume({&record, 1});
    } else {
      ledger.append(record);
    }
  }
  void deliver(u64 id, u8 vector, u64 handler_address, u64 interrupted = 0x700) {
    add({.id = id,
         .address = handler_address,
         .other = interrupted,
         .frame = 0x8000 - id * 0x40,
         .kind = RecordKind::Delivered,
         .vector = vector,
         .detail = static_cast<u8>(DeliveryKind::External)});
  }
  void leave(u64 id, u8 vector) {
    add({.id = id, .address = 0x980, .frame = 0x8000 - id * 0x40, .kind = RecordKind::Returned, .vector = vector});
  }
  void end(u64 id, u8 pin) {
    add({.id = id, .address = 0x900, .kind = RecordKind::EndOfInterrupt, .pin = pin, .source = pic0});
  }
  void raise_line(u64 id, u8 pin) { add({.id = id, .kind = RecordKind::Raised, .pin = pin, .source = com1}); }

  /// What the machine's loop does now and then.
  void look() { sanitizer->looked(*cpu); }
  void interrupt(u8 vector) {
    controller.vector = vector;
    raise_interrupt(++request);
  }
  /// As run(), but with no regard to HLT.
  void step(u64 instructions) { (void)cpu->run(instructions); }

  /// "error bad-idt" for each finding. Ends the run.
  std::vector<std::string> found() {
    if (!traced) {
      ledger.flush();
      time = clock.now().value;
    }
    result = sanitizer->finish({.time = time, .instructions = time, .reason = "time"});
    std::vector<std::string> words;
    for (const Finding& each : result.findings) {
      words.push_back(std::string(severity_name(each.severity)) + " " + each.rule);
    }
    return words;
  }

  TraceHeader header{.sources = {"cpu0", "pic0", "pic1", "com1"}, .guest = "test"};
  std::vector<RuleMaker> makers;
  std::unique_ptr<Sanitizer> sanitizer;
  CheckResult result;
  bool traced = false;
  u64 time = 0;
  u64 request = 100;
  u8 masks[2] = {0xFF, 0xFF};

 private:
  static u8 first_pin(Source chip) { return chip == pic0 ? 0 : 8; }
  void start(const RuleMaker& maker, Ledger* live) {
    makers = {maker};
    std::vector<std::string_view> ids;
    for (const RuleInfo& rule : maker.rules) ids.push_back(rule.id);
    sanitizer = std::make_unique<Sanitizer>(header, Sanitizer::Options{.rules = ids, .ledger = live}, makers);
    traced = live == nullptr;
    if (traced) return;
    ledger.attach(*sanitizer);
    cpu->set_probe(sanitizer.get());
  }
};

using testing::ElementsAre;
using testing::IsEmpty;

}  // namespace vitrine
