// Ports for people who debug: 0x80 (POST code), 0xE9 (console) and 0xF4 (end of the run).
//
// Sources: IBM PC AT Technical Reference (1502494), POST codes on port 0x80; Bochs' and QEMU's documentation of port
// 0xE9 (a read gives 0xE9 where the port exists) and of QEMU's isa-debug-exit device.
// Interrupts: none.
// Not modelled: nothing.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

class DebugPorts final : public Device {
 public:
  enum class Window : u8 { PostCode, Console, Exit };
  static constexpr Port post_code_port{0x80}, console_port{0xE9}, exit_port{0xF4};
  static constexpr u32 exit_port_count = 4;

  DebugPorts(DeviceContext context, Outputs& outputs, MachineControl& control);

  [[nodiscard]] std::string_view name() const override { return "debug-ports"; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    u8 post_code = 0;
  };
  DeviceContext context_;
  Outputs& outputs_;
  MachineControl& control_;
  State state_;
};

}  // namespace vitrine
