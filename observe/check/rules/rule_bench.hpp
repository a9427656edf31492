// A CPU that the register and stack rules watch, for their tests: hand-assembled programs and handlers.
// Included by *_test.cpp files only.
#pragma once

#include <gmock/gmock.h>

#include "machine/cpu/system_test_bench.hpp"
#include "observe/check/rules/rule_lists.hpp"
#include "observe/check/sanitizer.hpp"

namespace vitrine {

/// All of register_rules() run in each test: a mistake must be found by its own rule and by no other.
struct RuleBench : SystemBench {
  RuleBench() {
    cpu->set_probe(&sanitizer);
    ledger.attach(sanitizer);
  }
  ~RuleBench() override { cpu->set_probe(nullptr); }
  RuleBench(const RuleBench&) = delete;
  RuleBench& operator=(const RuleBench&) = delete;

  static std::vector<std::string_view> ids() {
    std::vector<std::string_view> all;
    for (const RuleMaker& maker : makers()) {
      for (const RuleInfo& rule : maker.rules) all.push_back(rule.id);
    }
    return all;
  }
  static const std::vector<RuleMaker>& makers() {
    static const std::vector<RuleMaker> all = register_rules();
    return all;
  }

  /// STI, two NOPs (an interrupt comes after the first), then these bytes, then HLT.
  void interrupted_program(std::initializer_list<int> then = {}) {
    put(program, {0xFB, 0x90, 0x90});
    put(program + 3, then);
    put(program + 3 + then.size(), {0xF4});
  }
  void interrupt() {
    raise_interrupt();
    run();
  }
  std::vector<Finding> findings() {
    ledger.flush();
    return sanitizer.finish({}).findings;
  }
  /// A frame as a delivery would push it, told to the rules.
  void deliver(const ProbedDelivery& delivery) {
    const u64 words[] = {delivery.before.rip, delivery.before.cs, delivery.before.flags, delivery.before.rsp,
                         delivery.before.ss};
    for (unsigned i = 0; i < delivery.slots; ++i) {
      std::memcpy(ram.get() + delivery.frame + u64{i} * delivery.slot_size, &words[i], delivery.slot_size);
    }
    sanitizer.delivered(*cpu, delivery);
  }
  void leave(u64 frame, u8 size) {
    const ProbedReturn iret{.instruction = 0x18F00, .frame = frame, .operand_size = size};
    sanitizer.returning(*cpu, iret);
    sanitizer.returned(*cpu, iret);
  }

  TraceHeader header;
  Sanitizer sanitizer{header, {.rules = ids(), .ledger = &ledger}, makers()};
};

}  // namespace vitrine
