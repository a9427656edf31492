// Registers: the xAPIC's page, the x2APIC's MSRs, IA32_APIC_BASE.
#include "base/bits.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

namespace {

constexpr u32 set_registers = 0x80;  // IRR, ISR, TMR: eight registers each

constexpr bool is_part(u32 offset, u32 first) { return offset >= first && offset < first + set_registers; }
constexpr unsigned part_of(u32 offset, u32 first) { return (offset - first) >> 4; }

struct Entry {
  u32 offset;
  ApicPin source;
};
constexpr std::array local_vectors = {
    Entry{offset::lvt_cmci, ApicPin::Cmci},       Entry{offset::lvt_timer, ApicPin::Timer},
    Entry{offset::lvt_thermal, ApicPin::Thermal}, Entry{offset::lvt_performance, ApicPin::Performance},
    Entry{offset::lvt_lint0, ApicPin::Lint0},     Entry{offset::lvt_lint1, ApicPin::Lint1},
    Entry{offset::lvt_error, ApicPin::Error}};

constexpr std::optional<ApicPin> local_source(u32 offset) {
  for (const Entry& entry : local_vectors) {
    if (entry.offset == offset) return entry.source;
  }
  return std::nullopt;
}

/// What a WRMSR must leave 0 (table 10-6: #GP). Delivery status and remote IRR are no reserved bits.
constexpr u32 reserved_bits(u32 offset) {
  switch (offset) {
    case offset::task_priority:
    case offset::self_ipi:
      return ~u32{0xFF};
    case offset::eoi:
    case offset::error_status:
      return ~u32{0};  // §10.12.1.2: only 0 can be written
    case offset::spurious_vector:
      return ~spurious_writable;
    case offset::lvt_timer:
      return ~u32{0x000710FF};
    case offset::lvt_error:
      return ~u32{0x000110FF};
    case offset::lvt_lint0:
    case offset::lvt_lint1:
      return ~u32{0x0001F7FF};
    case offset::lvt_cmci:
    case offset::lvt_thermal:
    case offset::lvt_performance:
      return ~u32{0x000117FF};
    case offset::divide:
      return ~divide_writable;
    default:
      return 0;
  }
}

constexpr bool in_page_only(u32 offset) {
  return offset == offset::arbitration_priority || offset == offset::remote_read ||
         offset == offset::destination_format || offset == offset::command_high;
}

constexpr bool x2apic_writable(u32 offset) {
  return offset == offset::task_priority || offset == offset::eoi || offset == offset::spurious_vector ||
         offset == offset::error_status || offset == offset::initial_count || offset == offset::divide ||
         offset == offset::self_ipi || local_source(offset).has_value();
}

}  // namespace

// Table 10-1. Those that newer processors lack (APR, RRD) are no illegal addresses.
bool LocalApic::has_register(u32 offset) const {
  switch (offset) {
    case offset::id:
    case offset::version:
    case offset::task_priority:
    case offset::arbitration_priority:
    case offset::processor_priority:
    case offset::eoi:
    case offset::remote_read:
    case offset::logical_destination:
    case offset::destination_format:
    case offset::spurious_vector:
    case offset::error_status:
    case offset::command_low:
    case offset::command_high:
    case offset::initial_count:
    case offset::current_count:
    case offset::divide:
      return true;
    default:
      return (offset >= offset::in_service && offset < offset::requests + set_registers) ||
             local_source(offset).has_value();
  }
}

u32 LocalApic::register_value(u32 offset) const {
  switch (offset) {
    case offset::id:
      return x2apic_mode() ? identity_.initial_id : u32{state_.xapic_id} << 24;
    case offset::version:
      return version;
    case offset::task_priority:
      return state_.task_priority;
    case offset::arbitration_priority:
      return arbitration_priority();
    case offset::processor_priority:
      return processor_priority();
    case offset::logical_destination:
      // §10.12.10.2: cluster and one bit in it, from the id.
      if (x2apic_mode()) return identity_.initial_id >> 4 << 16 | u32{1} << (identity_.initial_id & 0xF);
      return state_.logical_destination;
    case offset::destination_format:
      return state_.destination_format;
    case offset::spurious_vector:
      return state_.spurious_vector;
    case offset::error_status:
      return state_.error_status;
    case offset::command_low:
      return static_cast<u32>(state_.command);
    case offset::command_high:
      return static_cast<u32>(state_.command >> 32);
    case offset::initial_count:
      return state_.timer.initial_count;
    case offset::current_count:
      return current_count();
    case offset::divide:
      return state_.timer.divide;
    default:
      break;
  }
  if (is_part(offset, offset::in_service)) return state_.in_service.part(part_of(offset, offset::in_service));
  if (is_part(offset, offset::trigger_mode)) return state_.level.part(part_of(offset, offset::trigger_mode));
  if (is_part(offset, offset::requests)) return state_.requests.part(part_of(offset, offset::requests));
  const std::optional<ApicPin> source = local_source(offset);
  return source ? local_vector(*source) : 0;
}

void LocalApic::set_register(u32 offset, u32 value) {
  switch (offset) {
    case offset::id:
      state_.xapic_id = static_cast<u8>(value >> 24);
      return bus_.tell_receivers_changed();
    case offset::task_priority:
      return set_task_priority(static_cast<u8>(value));
    case offset::eoi:
      return end_of_interrupt();
    case offset::logical_destination:
      value &= 0xFF000000;
      programmed(ControllerRegister::LogicalDestination, state_.logical_destination, value);
      state_.logical_destination = value;
      return bus_.tell_receivers_changed();
    case offset::destination_format:
      value |= 0x0FFFFFFF;
      programmed(ControllerRegister::DestinationFormat, state_.destination_format, value);
      state_.destination_format = value;
      return bus_.tell_receivers_changed();
    case offset::spurious_vector:
      return write_spurious_vector(value);
    case offset::error_status:
      state_.error_status = state_.errors;
      state_.errors = 0;
      if (state_.timer.resting) schedule_timer();
      return;
    case offset::command_low:
      state_.command = (state_.command & ~u64{0xFFFFFFFF}) | (value & command_writable);
      return send_command(static_cast<u32>(state_.command), static_cast<u32>(state_.command >> 56));
    case offset::command_high:
      state_.command = (state_.command & 0xFFFFFFFF) | u64{value & 0xFF000000} << 32;
      return;
    case offset::initial_count:
      return write_initial_count(value);
    case offset::divide:
      return write_divide(value);
    default:
      break;
  }
  if (const std::optional<ApicPin> source = local_source(offset)) return write_local_vector(*source, value);
  if (!has_register(offset)) log_error(error_register);
}

void LocalApic::write_spurious_vector(u32 value) {
  const u32 before = state_.spurious_vector;
  const u32 after = value & spurious_writable;
  if (before == after) return;
  state_.spurious_vector = after;
  state_.spurious_vector_set = here();
  programmed(ControllerRegister::SpuriousVector, before, after);
  if (!software_enabled()) return mask_all();
  bus_.tell_receivers_changed();
}

// §10.6.1. The trigger mode counts for INIT only: other IPIs are edges.
void LocalApic::send_command(u32 low, u32 destination) {
  auto mode = static_cast<MessageMode>(bits(low, 10, 8));
  if (mode == MessageMode::ExtInt) mode = MessageMode::Reserved;
  const auto vector = static_cast<u8>(low);
  const bool has_vector = mode == MessageMode::Fixed || mode == MessageMode::LowestPriority;
  if (has_vector && vector < first_legal_vector) return lose_own(vector);
  const bool deassert = mode == MessageMode::Init && bit(low, command_level) && !bit(low, command_assert);
  bus_.send({.destination = destination,
             .vector = vector,
             .mode = mode,
             .logical = bit(low, command_logical),
             .level = deassert,
             .asserted = !deassert,
             .wide = x2apic_mode(),
             .request = context_.ledger.next_request()},
            context_.source, static_cast<u8>(ApicPin::Interprocessor),
            static_cast<ApicBus::Shorthand>(bits(low, 19, 18)), identity_.cpu);
}

// §10.12.11.
void LocalApic::send_self(u8 vector) {
  if (vector < first_legal_vector) return lose_own(vector);
  bus_.send(
      {.destination = identity_.initial_id, .vector = vector, .wide = true, .request = context_.ledger.next_request()},
      context_.source, static_cast<u8>(ApicPin::Interprocessor), ApicBus::Shorthand::Self, identity_.cpu);
}

// §10.5.3, "send illegal vector". unverified: the message is not sent.
void LocalApic::lose_own(u8 vector) {
  record({.id = context_.ledger.next_request().value,
          .address = context_.ledger.context.address,
          .kind = RecordKind::MessageLost,
          .vector = vector,
          .pin = static_cast<u8>(ApicPin::Interprocessor),
          .detail = static_cast<u8>(MessageLoss::IllegalVector)});
  log_error(error_send_vector);
}

// The page. §10.5.3: an address without a register is an error.

u64 LocalApic::peek_register(u32 offset, u8 size) const {
  const u32 inside = offset & 0xF;
  if (inside >= 4) return 0;
  const u32 value = register_value(offset & 0xFF0) >> 8 * inside;
  return size >= 4 ? value : value & ((u32{1} << 8 * size) - 1);
}

u64 LocalApic::read_register(u32 offset, u8 size) {
  if (!has_register(offset & 0xFF0)) log_error(error_register);
  return peek_register(offset, size);
}

void LocalApic::write_register(u32 offset, u8 size, u64 value) {
  if (size != 4 || (offset & 0xF) != 0) return;
  set_register(offset, static_cast<u32>(value));
}

u64 LocalApic::read(Region, u64 offset, AccessSize size) {
  return read_register(static_cast<u32>(offset & 0xFFF), size.value);
}

void LocalApic::write(Region, u64 offset, AccessSize size, u64 value) {
  write_register(static_cast<u32>(offset & 0xFFF), size.value, value);
}

u64 LocalApic::peek(Region, u64 offset, AccessSize size) const {
  return peek_register(static_cast<u32>(offset & 0xFFF), size.value);
}

// MSRs.

LocalInterrupts::MsrResult LocalApic::read_msr(u32 number, u64& value) {
  if (number >= msr::x2apic_first && number <= msr::x2apic_last) return read_x2apic(number, value);
  switch (number) {
    case msr::apic_base:
      value = state_.base;
      return MsrResult::Done;
    case msr::tsc_deadline:
      value = timer_mode() == TimerMode::Deadline ? state_.timer.deadline : 0;
      return MsrResult::Done;
    default:
      return read_thermal(number, value);
  }
}

LocalInterrupts::MsrResult LocalApic::write_msr(u32 number, u64 value) {
  if (number >= msr::x2apic_first && number <= msr::x2apic_last) return write_x2apic(number, value);
  switch (number) {
    case msr::apic_base:
      return write_base(value);
    case msr::tsc_deadline:
      write_deadline(value);
      return MsrResult::Done;
    default:
      return write_thermal(number, value);
  }
}

// §10.12.1.2: everything that is not in table 10-6, or can't be read, is #GP.
LocalInterrupts::MsrResult LocalApic::read_x2apic(u32 number, u64& value) const {
  const u32 offset = (number - msr::x2apic_first) << 4;
  if (!x2apic_mode() || !has_register(offset) || in_page_only(offset) || offset == offset::eoi) {
    return MsrResult::Refused;
  }
  value = offset == offset::command_low ? state_.command : register_value(offset);
  return MsrResult::Done;
}

LocalInterrupts::MsrResult LocalApic::write_x2apic(u32 number, u64 value) {
  const u32 offset = (number - msr::x2apic_first) << 4;
  if (!x2apic_mode()) return MsrResult::Refused;
  if (offset == offset::command_low) {
    if ((static_cast<u32>(value) & ~command_writable) != 0) return MsrResult::Refused;
    state_.command = value;
    send_command(static_cast<u32>(value), static_cast<u32>(value >> 32));
    return MsrResult::Done;
  }
  if (!x2apic_writable(offset) || value >> 32 != 0 || (value & reserved_bits(offset)) != 0) return MsrResult::Refused;
  if (offset == offset::self_ipi) {
    send_self(static_cast<u8>(value));
  } else {
    set_register(offset, static_cast<u32>(value));
  }
  return MsrResult::Done;
}

// §10.12.5, figure 10-27: off, xAPIC, x2APIC, off is the only way round.
LocalInterrupts::MsrResult LocalApic::write_base(u64 value) {
  constexpr u64 address = ((u64{1} << physical_address_bits) - 1) & ~u64{0xFFF};
  if ((value & ~(address | base_bsp | base_x2apic | base_enabled)) != 0) return MsrResult::Refused;
  const bool enabled = (value & base_enabled) != 0;
  const bool x2apic = (value & base_x2apic) != 0;
  if (x2apic && (!has_x2apic() || !enabled || !globally_enabled())) return MsrResult::Refused;
  if (!x2apic && enabled && x2apic_mode()) return MsrResult::Refused;
  if (value == state_.base) return MsrResult::Done;
  const bool was_enabled = globally_enabled();
  const bool becomes_x2apic = x2apic && !x2apic_mode();
  programmed(ControllerRegister::ApicBase, state_.base, value);
  state_.base = value;
  state_.base_set = here();
  if (!enabled) {
    withdraw_external();
    stop_timer();
  }
  if (enabled && !was_enabled) state_.xapic_id = static_cast<u8>(identity_.initial_id);
  if (becomes_x2apic) {  // §10.12.5.1: id, LDR and the high half of ICR are not preserved
    state_.xapic_id = static_cast<u8>(identity_.initial_id);
    state_.logical_destination = 0;
    state_.command &= 0xFFFFFFFF;
  }
  base_changed();
  if (enabled && !was_enabled) {
    for (const InputPin pin : {lint0, lint1}) sense(pin);
  }
  update();
  if (enabled) bus_.tell_receivers_changed();
  return MsrResult::Done;
}

void LocalApic::base_changed() { page_ = globally_enabled() && !x2apic_mode() ? state_.base & ~u64{0xFFF} : no_page; }

}  // namespace vitrine
