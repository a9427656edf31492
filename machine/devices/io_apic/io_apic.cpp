#include "machine/devices/io_apic/io_apic.hpp"

#include <algorithm>
#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {
// DS 3.2.2: 24 entries, so the highest is 17h. ICH9 13.5.6: bit 15 (pin assertion register) is 0.
constexpr u32 highest_entry = (IoApic::pins - 1) << 16;
constexpr unsigned id_position = 24;  // DS 3.2.1: bits 27:24
constexpr u8 id_values = 0x0F;

u8 vector_of(u64 entry) { return static_cast<u8>(entry); }
// DS 3.2.4: 011 and 110 are reserved.
MessageMode mode_of(u64 entry) {
  const auto mode = static_cast<MessageMode>(bits(entry, 10, 8));
  return mode == MessageMode::StartUp ? MessageMode::Reserved : mode;
}
bool is_masked(u64 entry) { return (entry & IoApic::mask_bit) != 0; }
bool is_dword_at(u64 register_offset, u64 offset, AccessSize size) {
  return offset == register_offset && size.value >= 4;
}
}  // namespace

IoApic::IoApic(DeviceContext context, Wiring wiring, ApicBus& bus) : context_(context), wiring_(wiring), bus_(bus) {
  bus_.attach(*this);
}

std::string_view IoApic::name() const { return context_.ledger.sources()[context_.source.value]; }

void IoApic::reset() {
  State fresh;
  for (u8 pin = 0; pin < pins; ++pin) {
    fresh.pins[pin].asserted = state_.pins[pin].asserted;
    fresh.pins[pin].line = state_.pins[pin].line;
  }
  state_ = fresh;
}

// Questions.

bool IoApic::is_level(const PinState& state) const {
  const MessageMode mode = mode_of(state.entry);
  return (state.entry & level_bit) != 0 && (mode == MessageMode::Fixed || mode == MessageMode::LowestPriority);
}

bool IoApic::active(Pin pin) const {
  const PinState& state = state_.pins[pin.value];
  const bool high = state.asserted != bit(wiring_.active_low, pin.value);
  return high != ((state.entry & active_low_bit) != 0);
}

MessageModes IoApic::message_modes() const {
  MessageModes modes;
  for (const PinState& state : state_.pins) {
    const MessageMode mode = mode_of(state.entry);
    if (!is_masked(state.entry) && mode != MessageMode::Reserved && mode != MessageMode::Smi) modes.add(mode);
  }
  return modes;
}

RequestId IoApic::request(u8 pin) const {
  const PinState& state = state_.pins[pin];
  return state.asserted && state.line != RequestId{} ? state.line : state.phantom;
}

u64 IoApic::entry(Pin pin) const {
  const PinState& state = state_.pins[pin.value];
  return state.entry | (state.remote_irr ? remote_irr_bit : 0) | (state.refused ? delivery_status_bit : 0);
}

// Registers.

u32 IoApic::indexed(u8 index) const {
  if (index >= first_entry_index && index < first_entry_index + 2 * pins) {
    const u64 value = entry(Pin(static_cast<u8>((index - first_entry_index) / 2)));
    return static_cast<u32>(bit(index, 0) ? value >> 32 : value);
  }
  if (index == id_index) return u32{state_.id} << id_position;
  if (index == version_index) return highest_entry | static_cast<u32>(wiring_.version);
  if (index == arbitration_index && wiring_.version == Version::V11) return u32{state_.id} << id_position;
  return 0;  // unverified: what reserved indices read as
}

u64 IoApic::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    u32 byte = 0;
    if (at == select_offset) byte = state_.select;
    if (at >= data_offset && at < data_offset + 4) byte = indexed(state_.select) >> 8 * (at - data_offset) & 0xFF;
    value |= u64{byte} << 8 * i;
  }
  return value;
}

void IoApic::write(Region, u64 offset, AccessSize size, u64 value) {
  if (offset == select_offset) state_.select = static_cast<u8>(value);
  if (is_dword_at(data_offset, offset, size)) write_indexed(state_.select, static_cast<u32>(value));
  if (is_dword_at(eoi_offset, offset, size) && wiring_.version == Version::V20) {
    eoi_broadcast(static_cast<u8>(value));
  }
}

void IoApic::write_indexed(u8 index, u32 value) {
  if (index == id_index) state_.id = static_cast<u8>(value >> id_position & id_values);
  if (index < first_entry_index || index >= first_entry_index + 2 * pins) return;
  const auto pin = static_cast<u8>((index - first_entry_index) / 2);
  const u64 old = state_.pins[pin].entry;
  write_entry(pin, bit(index, 0) ? (old & 0xFFFF'FFFF) | u64{value} << 32 : (old & ~u64{0xFFFF'FFFF}) | value);
}

void IoApic::write_entry(u8 pin, u64 value) {
  PinState& state = state_.pins[pin];
  const bool was_active = active(Pin(pin));
  const u64 old = std::exchange(state.entry, value & writable_bits);
  if (old != state.entry) {
    record(pin, {.address = context_.ledger.context.address,
                 .other = old,
                 .extra = state.entry,
                 .kind = RecordKind::ControllerProgrammed,
                 .detail = static_cast<u8>(ControllerRegister::RedirectionEntry)});
  }
  if (is_masked(old) != is_masked(state.entry)) {
    state.masked = is_masked(state.entry) ? here() : Setting{};
    record(pin, {.address = context_.ledger.context.address,
                 .other = is_masked(old) ? u64{1} : u64{0},
                 .extra = is_masked(state.entry) ? u64{1} : u64{0},
                 .kind = RecordKind::MaskChanged});
  }
  if (!is_masked(state.entry)) state_.was_opened = true;
  // Not in the data sheets; what kernels do to end a level interrupt where there is no EOI register (Linux,
  // __eoi_ioapic_pin): an entry that is edge-triggered has no remote IRR.
  if (!is_level(state) && state.remote_irr) end_of_interrupt(pin, EndKind::Initialised);
  state.refused = false;
  // unverified: the polarity comes before the edge detector, so that inverting an idle input is an edge of its own.
  if (!active(Pin(pin))) state.phantom = RequestId{};
  if (!was_active && active(Pin(pin)) && !is_masked(state.entry)) state.edge = true;
  update();
}

// Inputs.

void IoApic::line_changed(Pin pin, Level level, RequestId request) {
  if (pin.value >= pins) return;
  PinState& state = state_.pins[pin.value];
  const bool was_active = active(pin);
  state.asserted = level == Level::High;
  state.line = state.asserted ? request : RequestId{};
  if (was_active == active(pin)) return;  // the 8259 behind pin 0 goes on with another request
  state.refused = false;
  state.phantom = RequestId{};
  state.edge = active(pin);
  update();
}

void IoApic::eoi_broadcast(u8 vector) {
  for (u8 pin = 0; pin < pins; ++pin) {
    PinState& state = state_.pins[pin];
    state.refused = false;
    if (state.remote_irr && vector_of(state.entry) == vector) end_of_interrupt(pin, EndKind::Specific);
  }
  update();
}

void IoApic::receivers_changed() {
  for (PinState& state : state_.pins) state.refused = false;
  update();
}

void IoApic::end_of_interrupt(u8 pin, EndKind kind) {
  PinState& state = state_.pins[pin];
  record(pin, {.id = state.serving.value,
               .address = context_.ledger.context.address,
               .kind = RecordKind::EndOfInterrupt,
               .vector = vector_of(state.entry),
               .detail = static_cast<u8>(kind)});
  state.remote_irr = false;
  state.serving = RequestId{};
  state.serving_since = Tick{};
}

// Output.

void IoApic::send(u8 pin) {
  PinState& state = state_.pins[pin];
  if (request(pin) == RequestId{}) state.phantom = context_.ledger.next_request();
  const RequestId id = request(pin);
  const bool level = is_level(state);
  const u8 vector = vector_of(state.entry);
  record(pin, {.id = id.value, .kind = RecordKind::Latched, .vector = vector});
  const unsigned receivers = bus_.send({.destination = static_cast<u32>(state.entry >> 56),
                                        .vector = vector,
                                        .mode = mode_of(state.entry),
                                        .logical = (state.entry & logical_bit) != 0,
                                        .level = level,
                                        .request = id},
                                       context_.source, pin);
  if (!level) return;
  if (receivers == 0) {
    // DS 3.2.4: delivery is pending while the receiver can't accept. unverified: when it is tried again. Here: at the
    // next change of pin, of entry or of who accepts what, and at every EOI.
    state.refused = true;
    return;
  }
  state.remote_irr = true;
  state.serving = id;
  state.serving_since = context_.clock.now();
  record(pin, {.id = id.value, .kind = RecordKind::InService, .vector = vector});
}

void IoApic::update() {
  for (u8 pin = 0; pin < pins; ++pin) {
    PinState& state = state_.pins[pin];
    const bool edge = std::exchange(state.edge, false);
    if (is_level(state)) {
      if (active(Pin(pin)) && !is_masked(state.entry) && !state.remote_irr && !state.refused) send(pin);
      report_obstacle(pin);
    } else if (edge && !is_masked(state.entry)) {
      send(pin);
    } else if (edge && state_.was_opened && request(pin) != RequestId{}) {
      record(pin, {.id = request(pin).value, .kind = RecordKind::LineLost});
    }
  }
}

// What stands in the way of a level. Nothing is said while the guest does not use the chip: then an 8259 has the line.
void IoApic::report_obstacle(u8 pin) {
  PinState& state = state_.pins[pin];
  const RequestId id = request(pin);
  if (!state_.was_opened || !active(Pin(pin)) || id == RequestId{} || id == state.serving) return;
  const bool masked = is_masked(state.entry);
  if (!masked && !state.remote_irr) return;
  const Obstacle obstacle = masked ? Obstacle::EntryMasked : Obstacle::RemoteIrr;
  const Setting cause = masked ? state.masked : Setting{0, state.serving_since};
  if (state.told == obstacle && state.told_since == cause.since && state.told_request == id) return;
  state.told = obstacle;
  state.told_since = cause.since;
  state.told_request = id;
  record(pin, {.id = id.value,
               .address = cause.by,
               .other = masked ? 0 : state.serving.value,
               .since = cause.since.value,
               .kind = RecordKind::Blocked,
               .vector = vector_of(state.entry),
               .detail = static_cast<u8>(obstacle)});
}

void IoApic::record(u8 pin, Record record) const {
  record.pin = pin;
  record.source = context_.source.value;
  context_.ledger.append(record);
}

void IoApic::PinState::exchange(Archive& archive) {
  archive(entry, asserted, line, phantom, edge, remote_irr, serving, serving_since, refused, masked, told, told_since,
          told_request);
  const bool plausible = (entry & ~writable_bits) == 0 && (remote_irr || serving == RequestId{}) && !edge;
  if (!plausible) archive.refuse(Archive::Error::BadValue);
}

void IoApic::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.select, state_.id, state_.was_opened, state_.pins);
  if (state_.id > id_values) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
