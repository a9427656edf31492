#include "machine/devices/isa_bridge/isa_bridge.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr PciConfig::Identity piix3{
    .vendor = 0x8086, .device = 0x7000, .revision = 0x00, .class_code = 0x060100, .multifunction = true};
constexpr PciConfig::Identity ich9{
    .vendor = 0x8086, .device = 0x2918, .revision = 0x02, .class_code = 0x060100, .multifunction = true};

// 82371SB, 2.2.13; ICH9, 13.1.17: bit 7 set: not routed. Lines 0, 1, 2, 8 and 13 are reserved values.
constexpr u8 not_routed_bit = 7, route_writable = 0x8F;
constexpr u16 routable_lines = 0xDEF8;
}  // namespace

IsaBridge::IsaBridge(DeviceContext context, const Strapping& strapping, const IsaDrivers& isa)
    : context_(context), strapping_(strapping), isa_(isa), config_(strapping.model == Model::Ich9 ? ich9 : piix3) {
  if (strapping.model == Model::Ich9) {
    define_ich9();
  } else {
    define_piix3();
  }
  for (u8 pirq = 0; pirq < pirqs(); ++pirq) {
    config_.define(route_register(pirq), AccessSize(1), not_routed, route_writable);
  }
}

void IsaBridge::define_piix3() {
  // 82371SB, 2.2.3 and 2.2.4: always bus master with I/O and memory space on; medium DEVSEL#.
  config_.define(0x04, AccessSize(2), 0x0007, 0x0008);
  config_.define(0x06, AccessSize(2), 0x0200, 0);
  config_.define(0x4C, AccessSize(1), 0x4D, 0xFF);      // 2.2.10: ISA I/O recovery timer
  config_.define(0x4E, AccessSize(2), 0x0003, 0xFFFF);  // 2.2.11: X-bus chip select
  config_.define(0x69, AccessSize(1), 0x02, 0xFE);      // 2.2.14: top of memory
  config_.define(0x6A, AccessSize(2), 0x0000, 0x7F05);  // 2.2.15: miscellaneous status
}

void IsaBridge::define_ich9() {
  config_.define(0x04, AccessSize(2), 0x0007, 0x0140);                    // 13.1.3
  config_.define(0x06, AccessSize(2), 0x0200, 0);                         // 13.1.4
  config_.define(0x40, AccessSize(4), strapping_.pm_base.value | 1u, 0);  // 13.1.13: PMBASE
  config_.define(0x44, AccessSize(1), 0x80, 0);                           // 13.1.14: ACPI on, SCI on IRQ 9
  config_.define(0x48, AccessSize(4), 0x00000001, 0x0000FF80);            // 13.1.15: GPIOBASE
  config_.define(0x4C, AccessSize(1), 0x00, 0x13);                        // 13.1.16: GPIO control
  config_.define(0x64, AccessSize(1), 0x10, 0xFF);                        // 13.1.18: serial IRQ control
  config_.define(0x80, AccessSize(2), 0x0000, 0x1377);                    // 13.1.21: I/O decode ranges
  config_.define(0x82, AccessSize(2), 0x0000, 0x3F0F);                    // 13.1.22: LPC enables
  for (u8 range = 0; range < 4; ++range) {
    config_.define(static_cast<u8>(0x84 + 4 * range), AccessSize(4), 0, 0x00FCFFFD);  // 13.1.23: generic decode
  }
  config_.define(0xDC, AccessSize(1), 0x00, 0x1F);              // 13.1.31: BIOS control
  config_.define(0xF0, AccessSize(4), 0x00000000, 0xFFFFC001);  // 13.1.35: RCBA
}

u8 IsaBridge::route(u8 pirq) const {
  const auto value = static_cast<u8>(config_.read(route_register(pirq), AccessSize(1)));
  const u8 line = value & 0x0F;
  return bit(value, not_routed_bit) || !bit(routable_lines, line) ? no_line : line;
}

void IsaBridge::reset() {
  config_.reset();
  for (u8 pirq = 0; pirq < pirqs(); ++pirq) leave(pirq);
  for (Pirq& pirq : pirqs_) pirq = {.asserted = pirq.asserted, .request = pirq.request};
  update();
}

void IsaBridge::line_changed(Pin pin, Level level, RequestId request) {
  if (pin.value >= pirqs()) return;
  Pirq& pirq = pirqs_[pin.value];
  pirq.asserted = level == Level::High;
  pirq.request = pirq.asserted ? request : RequestId{};
  update();
}

void IsaBridge::config_written(u8, AccessSize) {
  for (u8 number = 0; number < pirqs(); ++number) {
    Pirq& pirq = pirqs_[number];
    const auto value = static_cast<u8>(config_.read(route_register(number), AccessSize(1)));
    if (value == pirq.route) continue;
    context_.ledger.append({.address = context_.ledger.context.address,
                            .other = std::exchange(pirq.route, value),
                            .extra = value,
                            .kind = RecordKind::ControllerProgrammed,
                            .pin = static_cast<u8>(first_pirq_line + number),
                            .detail = static_cast<u8>(ControllerRegister::PirqRoute),
                            .source = context_.source.value});
    pirq.routed = {context_.ledger.context.address, context_.clock.now()};
  }
  update();
}

// Several PIRQs may share an ISA line: the first one's request is what it carries.
void IsaBridge::join(u8 pirq, u8 line) {
  RequestId first{};
  for (const Pirq& other : pirqs_) {
    if (other.drives == line) first = other.request;
  }
  pirqs_[pirq].drives = line;
  if (isa_[line].level() == Level::Low) return isa_[line].carry(Level::High, pirqs_[pirq].request);
  context_.ledger.append({.id = pirqs_[pirq].request.value,
                          .other = first.value,
                          .kind = RecordKind::Merged,
                          .pin = line,
                          .source = context_.source.value});
}

void IsaBridge::leave(u8 pirq) {
  const u8 line = std::exchange(pirqs_[pirq].drives, no_line);
  if (line == no_line) return;
  for (const Pirq& other : pirqs_) {
    if (other.drives == line) return;
  }
  isa_[line].carry(Level::Low, RequestId{});
}

void IsaBridge::report_unrouted(u8 number) {
  Pirq& pirq = pirqs_[number];
  if (pirq.told == pirq.request && pirq.told_since == pirq.routed.since) return;
  pirq.told = pirq.request;
  pirq.told_since = pirq.routed.since;
  context_.ledger.append({.id = pirq.request.value,
                          .address = pirq.routed.by,
                          .since = pirq.routed.since.value,
                          .kind = RecordKind::Blocked,
                          .pin = static_cast<u8>(first_pirq_line + number),
                          .detail = static_cast<u8>(Obstacle::NotConnected),
                          .source = context_.source.value});
}

void IsaBridge::update() {
  const auto wanted = [this](u8 pirq) { return pirqs_[pirq].asserted ? route(pirq) : no_line; };
  for (u8 pirq = 0; pirq < pirqs(); ++pirq) {
    if (pirqs_[pirq].drives != wanted(pirq)) leave(pirq);
  }
  for (u8 pirq = 0; pirq < pirqs(); ++pirq) {
    if (!pirqs_[pirq].asserted) continue;
    if (wanted(pirq) == no_line) {
      report_unrouted(pirq);
    } else if (pirqs_[pirq].drives == no_line) {
      join(pirq, wanted(pirq));
    }
  }
}

void IsaBridge::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(config_, pirqs_);
  for (const Pirq& pirq : pirqs_) {
    if (pirq.drives >= isa_lines && pirq.drives != no_line) archive.refuse(Archive::Error::BadValue);
  }
}

}  // namespace vitrine
