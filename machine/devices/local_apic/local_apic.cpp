// Vectors: how they get in, to the CPU, and out again.
#include "machine/devices/local_apic/local_apic.hpp"

#include <algorithm>
#include <utility>

#include "base/bits.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

LocalApic::LocalApic(DeviceContext context, Identity identity, ApicBus& bus, LineDriver interrupt_output,
                     ProcessorPins& cpu, InterruptAcknowledger* external, DieTemperature::Cooling cooling)
    : context_(context),
      identity_(identity),
      bus_(bus),
      interrupt_output_(interrupt_output),
      pins_(cpu),
      external_(external),
      temperature_(cooling) {
  state_.base = default_address | base_enabled | (identity_.start == Start::Bootstrap ? base_bsp : 0);
  state_.base_set = {0, now()};
  start(static_cast<u8>(identity_.initial_id));
  base_changed();
}

std::string_view LocalApic::name() const { return context_.ledger.sources()[context_.source.value]; }

// §10.4.7.1, the state after power-up and RESET; §10.4.7.3: INIT keeps id and IA32_APIC_BASE.
void LocalApic::start(u8 first_id) {
  withdraw_all();
  State fresh;
  fresh.base = state_.base;
  fresh.base_set = state_.base_set;
  fresh.xapic_id = first_id;
  fresh.spurious_vector = spurious_at_reset;
  fresh.lvt.fill(lvt_masked);
  fresh.tsc_offset = state_.tsc_offset;
  fresh.thermal = state_.thermal;
  fresh.inputs = state_.inputs;
  for (Input& input : fresh.inputs) {
    input.active = input.high;
    if (!input.high) input.request = RequestId{};
    input.told = input.was_open = false;
  }
  const Setting by_reset{0, now()};
  fresh.task_priority_set = fresh.spurious_vector_set = by_reset;
  fresh.lvt_set.fill(by_reset);
  state_ = fresh;
  schedule_timer();
  update();
}

void LocalApic::reset() {
  state_.base = default_address | base_enabled | (identity_.start == Start::Bootstrap ? base_bsp : 0);
  state_.base_set = {0, now()};
  base_changed();
  state_.tsc_offset = 0;
  state_.thermal = Thermal{};
  temperature_ = DieTemperature(temperature_.cooling());
  start(static_cast<u8>(identity_.initial_id));
  watch_temperature();
}

void LocalApic::init() { start(state_.xapic_id); }

// Questions.

bool LocalApic::globally_enabled() const { return (state_.base & base_enabled) != 0; }
bool LocalApic::x2apic_mode() const { return (state_.base & base_x2apic) != 0; }
bool LocalApic::software_enabled() const { return (state_.spurious_vector & spurious_enabled) != 0; }
u32 LocalApic::id() const { return x2apic_mode() ? identity_.initial_id : state_.xapic_id; }

u8 LocalApic::in_service_class() const { return priority_class(state_.in_service.highest().value_or(0)); }

// §10.8.3.1.
u8 LocalApic::processor_priority() const {
  const u8 serving = in_service_class();
  return priority_class(state_.task_priority) >= serving ? state_.task_priority : static_cast<u8>(serving << 4);
}

std::optional<u8> LocalApic::winner() const {
  const std::optional<u8> highest = state_.requests.highest();
  if (!highest || priority_class(*highest) <= priority_class(processor_priority())) return std::nullopt;
  return highest;
}

// §10.6.2.4.
u8 LocalApic::arbitration_priority() const {
  const u8 task = priority_class(state_.task_priority);
  const u8 requested = priority_class(state_.requests.highest().value_or(0));
  const u8 serving = in_service_class();
  if (task >= requested && task > serving) return state_.task_priority;
  return static_cast<u8>(std::max({task, requested, serving}) << 4);
}

bool LocalApic::focus(u8 vector) const {
  return (state_.spurious_vector & spurious_no_focus) == 0 &&
         (state_.requests.has(vector) || state_.in_service.has(vector));
}

u8 LocalApic::task_priority_class() const { return priority_class(state_.task_priority); }

// The board knows what can come to `intr` and by messages.
bool LocalApic::can_ever_wake(bool interruptible) const {
  if (!globally_enabled()) return interruptible;
  const auto gives = [this](ApicPin source, MessageMode mode) { return !masked(source) && mode_of(source) == mode; };
  if (gives(ApicPin::Lint0, MessageMode::Nmi) || gives(ApicPin::Lint0, MessageMode::Init)) return true;
  if (gives(ApicPin::Thermal, MessageMode::Nmi) && state_.thermal.sampling) return true;
  if (!interruptible) return false;
  if (external_input() != nullptr || winner()) return true;
  return software_enabled() &&
         (priority_class(processor_priority()) < 15 || gives(ApicPin::Lint0, MessageMode::ExtInt));
}

// The wire to the CPU.

/// The input that asks for an ExtINT now. §10.4.3: globally disabled, LINT0 is INTR.
const LocalApic::Input* LocalApic::external_input() const {
  if (state_.inputs[intr].high) return &state_.inputs[intr];
  const Input& first = state_.inputs[lint0];
  if (!globally_enabled()) return first.high ? &first : nullptr;
  if (first.active && !masked(ApicPin::Lint0) && mode_of(ApicPin::Lint0) == MessageMode::ExtInt) return &first;
  const Input& second = state_.inputs[lint1];
  if (second.active && !masked(ApicPin::Lint1) && mode_of(ApicPin::Lint1) == MessageMode::ExtInt) return &second;
  return nullptr;
}

/// `vector`: what the APIC itself asks for.
void LocalApic::drive(std::optional<u8> vector) {
  if (const Input* input = external_input()) return interrupt_output_.carry(Level::High, input->request);
  if (state_.external != RequestId{}) return interrupt_output_.carry(Level::High, state_.external);
  if (!vector) return interrupt_output_.carry(Level::Low, RequestId{});
  interrupt_output_.carry(Level::High, state_.vectors[*vector].pending);
}

// unverified: an ExtINT goes before a vector; §10.8.3 gives it no priority.
Acknowledged LocalApic::acknowledge() {
  if (state_.thermal.enables != 0 && !state_.thermal.sampling) watch_temperature();
  if (external_ != nullptr && (external_input() != nullptr || state_.external != RequestId{})) {
    state_.external = RequestId{};
    const Acknowledged answer = external_->acknowledge();
    update();
    return answer;
  }
  const std::optional<u8> vector = globally_enabled() ? winner() : std::nullopt;
  return vector ? enter_service(*vector) : spurious();
}

Acknowledged LocalApic::enter_service(u8 vector) {
  VectorState& entry = state_.vectors[vector];
  state_.requests.remove(vector);
  state_.in_service.add(vector);
  entry.serving = std::exchange(entry.pending, RequestId{});
  entry.serving_pin = entry.pending_pin;
  entry.in_service_since = now();
  entry.in_service_by = context_.ledger.context.address;
  const RequestId request = entry.serving;
  record({.id = request.value, .kind = RecordKind::Acknowledged, .vector = vector, .pin = entry.serving_pin});
  record({.id = request.value, .kind = RecordKind::InService, .vector = vector, .pin = entry.serving_pin});
  if (state_.timer.resting) schedule_timer();
  if (!state_.requests.empty()) tell_all_blocked();
  update();
  return {.vector = Vector(vector), .request = request, .spurious = false};
}

// §10.9: the spurious vector, without a bit in the ISR.
Acknowledged LocalApic::spurious() {
  const auto vector = static_cast<u8>(state_.spurious_vector);
  const std::optional<u8> waiting = state_.requests.highest();
  const bool outranked = waiting && globally_enabled();
  record({.address = outranked ? state_.task_priority_set.by : 0,
          .other = outranked ? state_.vectors[*waiting].pending.value : 0,
          .since = outranked ? state_.task_priority_set.since.value : 0,
          .kind = RecordKind::Spurious,
          .vector = vector,
          .pin = no_pin,
          .detail = static_cast<u8>(outranked ? SpuriousCause::Outranked : SpuriousCause::NothingRequested)});
  update();
  return {.vector = Vector(vector), .request = RequestId{}, .spurious = true};
}

// §10.8.5.
void LocalApic::end_of_interrupt() {
  const std::optional<u8> vector = state_.in_service.highest();
  if (!vector) {
    record({.address = context_.ledger.context.address, .kind = RecordKind::EndOfInterrupt, .pin = no_pin});
    return;
  }
  VectorState& entry = state_.vectors[*vector];
  state_.in_service.remove(*vector);
  record({.id = std::exchange(entry.serving, RequestId{}).value,
          .address = context_.ledger.context.address,
          .kind = RecordKind::EndOfInterrupt,
          .vector = *vector,
          .pin = entry.serving_pin});
  if (state_.level.has(*vector)) {
    for (const InputPin pin : {lint0, lint1}) {
      u32& entry_of_pin = lvt(pin == lint0 ? ApicPin::Lint0 : ApicPin::Lint1);
      if (!bit(entry_of_pin, lvt_remote_irr) || static_cast<u8>(entry_of_pin) != *vector) continue;
      entry_of_pin = with_bit(entry_of_pin, lvt_remote_irr, false);
      sense(pin);
    }
    if ((state_.spurious_vector & spurious_no_broadcast) == 0) bus_.broadcast_eoi(*vector);
  }
  if (!state_.requests.empty()) update();  // nothing else waits for an end
}

void LocalApic::latch(u8 vector, RequestId request, u8 pin, bool level) {
  if (vector < first_legal_vector) {
    record({.id = request.value,
            .kind = RecordKind::MessageLost,
            .vector = vector,
            .pin = pin,
            .detail = static_cast<u8>(MessageLoss::IllegalVector)});
    return log_error(error_receive_vector);
  }
  VectorState& entry = state_.vectors[vector];
  if (level) {
    state_.level.add(vector);
  } else {
    state_.level.remove(vector);
  }
  if (state_.requests.has(vector)) {
    record(
        {.id = request.value, .other = entry.pending.value, .kind = RecordKind::Merged, .vector = vector, .pin = pin});
    return;
  }
  state_.requests.add(vector);
  state_.told_task_priority.remove(vector);
  state_.told_in_service.remove(vector);
  state_.told_higher.remove(vector);
  entry.pending = request;
  entry.pending_since = now();
  entry.pending_pin = pin;
  record({.id = request.value, .kind = RecordKind::Latched, .vector = vector, .pin = pin});
  const std::optional<u8> first = winner();
  if (first != vector) tell_blocked(vector);
  drive(globally_enabled() ? first : std::nullopt);
}

void LocalApic::set_task_priority(u8 value) {
  const u8 before = state_.task_priority;
  state_.task_priority = value;
  if (priority_class(before) != priority_class(value)) {
    programmed(ControllerRegister::TaskPriority, before, value);
    state_.task_priority_set = here();
    if (value > before) tell_all_blocked();
  }
  update();
}

void LocalApic::set_task_priority_class(u8 value) { set_task_priority(static_cast<u8>((value & 0xF) << 4)); }

// Messages.

// §10.6.2, §10.12.10. Who hears a broadcast does not depend on his own registers.
bool LocalApic::addressed_by(const InterruptMessage& message) const {
  if (message.broadcast()) return true;
  const u32 destination = message.destination;
  if (!message.logical) return destination == id();
  if (x2apic_mode()) {
    const u32 own = register_value(offset::logical_destination);
    return destination >> 16 == own >> 16 && (destination & own & 0xFFFF) != 0;
  }
  if (destination > 0xFF) return false;
  const u32 own = state_.logical_destination >> 24;
  const u32 model = state_.destination_format >> 28;
  if (model == flat_model) return (destination & own) != 0;
  // §10.6.2.2: 0 is the cluster model, the rest is reserved and here hears nothing.
  return model == 0 && destination >> 4 == own >> 4 && (destination & own & 0xF) != 0;
}

bool LocalApic::takes(const InterruptMessage& message) const {
  if (!globally_enabled()) return false;
  return software_enabled() || message.mode == MessageMode::Nmi || message.mode == MessageMode::Init ||
         message.mode == MessageMode::StartUp;
}

void LocalApic::accept(const InterruptMessage& message) {
  if (state_.thermal.enables != 0) watch_temperature();
  switch (message.mode) {
    case MessageMode::Fixed:
    case MessageMode::LowestPriority:
      if (message.level && !message.asserted) {
        return record({.id = message.request.value,
                       .kind = RecordKind::MessageLost,
                       .vector = message.vector,
                       .pin = no_pin,
                       .detail = static_cast<u8>(MessageLoss::Deassert)});
      }
      return latch(message.vector, message.request, no_pin, message.level);
    case MessageMode::Nmi:
      return pins_.nmi(message.request);
    case MessageMode::Init:
      if (message.asserted) pins_.init(message.request);  // de-assert: only arbitration ids of old APICs change
      return;
    case MessageMode::StartUp:
      return pins_.start_up(message.vector, message.request);
    case MessageMode::ExtInt:
      if (state_.external != RequestId{}) {
        return record(
            {.id = message.request.value, .other = state_.external.value, .kind = RecordKind::Merged, .pin = no_pin});
      }
      state_.external = message.request;
      return update();
    case MessageMode::Smi:
    case MessageMode::Reserved:
      return;  // the bus has dropped them
  }
}

void LocalApic::event(u16 kind, u64) {
  switch (kind) {
    case timer_expires:
      return timer_due();
    case temperature_sampled:
      state_.thermal.sampling = false;
      sample_temperature();
      if (!temperature_.is_cold()) watch_temperature();
      return;
    default:
      return;
  }
}

// Save and restore.

void LocalApic::VectorState::exchange(Archive& archive) {
  archive(pending, pending_since, serving, in_service_since, in_service_by, pending_pin, serving_pin);
}

void LocalApic::State::exchange(Archive& archive) {
  archive(base, xapic_id, task_priority, logical_destination, destination_format, spurious_vector, requests, in_service,
          level, error_status, errors, command, lvt, timer, tsc_offset, inputs, external, thermal, task_priority_set,
          spurious_vector_set, base_set, lvt_set, told_task_priority, told_in_service, told_higher, vectors);
}

void LocalApic::exchange(Archive& archive) {
  archive.section(name(), 3);
  State loaded = state_;
  DieTemperature temperature = temperature_;
  archive(loaded, temperature);
  if (!archive.loading()) return;
  // No vector below 16 is ever set, and x2APIC without the APIC is no mode.
  const bool legal = (loaded.requests.part(0) & 0xFFFF) == 0 && (loaded.in_service.part(0) & 0xFFFF) == 0 &&
                     ((loaded.base & base_x2apic) == 0 || (has_x2apic() && (loaded.base & base_enabled) != 0));
  if (!legal) archive.refuse(Archive::Error::BadValue);
  if (!archive.ok()) return;
  state_ = loaded;
  temperature_ = temperature;
  base_changed();
}

}  // namespace vitrine
