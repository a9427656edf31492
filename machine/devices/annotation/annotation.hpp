// Port 0xE4: where a guest tells of its threads (abi/annotation.h, docs/annotations.md). No hardware has this.
//
// Source: docs/annotations.md. Each message is one 32-bit OUT and becomes one record of the kinds Thread*; a name takes
// several, of which the first 16 bytes are kept. A 32-bit IN answers the magic number.
// Interrupts: none.
// Not modelled: accesses of other widths, and messages that the protocol does not have, do nothing; the former read all
// ones, as an empty bus does.
#pragma once

#include <array>

#include "machine/core/device.hpp"

namespace vitrine {

class Annotation final : public Device {
 public:
  static constexpr Port first_port{0xE4};
  static constexpr u32 port_count = 4;

  explicit Annotation(DeviceContext context) : context_(context) {}

  [[nodiscard]] std::string_view name() const override { return "annotation"; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  static constexpr u8 longest_name = 16;
  struct Wakeup {
    u32 thread = 0;
    Tick time{};  // 0: none
    void exchange(Archive& archive) { archive(thread, time); }
  };
  struct State {
    bool naming = false;
    u32 named = 0;  // the thread whose name is coming
    std::array<u8, longest_name> name{};
    u8 length = 0;
    std::array<Wakeup, 256> wakeups{};  // by thread number modulo the size: the last that has not run yet
    void exchange(Archive& archive);
  };
  void record(RecordKind kind, u32 thread, Tick since = Tick{}) const;
  [[nodiscard]] Wakeup& wakeup_of(u32 thread) { return state_.wakeups[thread % state_.wakeups.size()]; }
  void woken(u32 thread);
  void runs(u32 thread);
  void name_bytes(u32 bytes);
  void finish_name();

  DeviceContext context_;
  State state_;
};

}  // namespace vitrine
