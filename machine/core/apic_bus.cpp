#include <array>

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "machine/core/interrupt_message.hpp"

namespace vitrine {

namespace {

u64 described(const InterruptMessage& message, ApicBus::Shorthand shorthand) {
  u64 extra = message.destination;
  if (message.logical) extra |= message_extra::logical;
  if (message.level) extra |= message_extra::level;
  if (!message.asserted) extra |= message_extra::deassert;
  if (message.wide) extra |= message_extra::wide;
  return extra | static_cast<u64>(shorthand) << message_extra::shorthand;
}

/// Table 10-3: to oneself only fixed. The INIT level de-assert, which goes to all, is older (§10.6.1).
bool goes_with(ApicBus::Shorthand shorthand, const InterruptMessage& message) {
  const bool to_self = shorthand == ApicBus::Shorthand::Self || shorthand == ApicBus::Shorthand::AllIncludingSelf;
  return !to_self || message.mode == MessageMode::Fixed || !message.asserted;
}

}  // namespace

bool ApicBus::is_receiver(const ApicBusAgent& agent, const InterruptMessage& message, Route route) {
  switch (route.shorthand) {
    case Shorthand::None:
      return agent.addressed_by(message);
    case Shorthand::Self:
      return agent.cpu() == route.sender;
    case Shorthand::AllIncludingSelf:
      return true;
    case Shorthand::AllExcludingSelf:
      return agent.cpu() != route.sender;
  }
  return false;
}

void ApicBus::attach(ApicBusAgent& agent) {
  VITRINE_ASSERT(agents_.size() < most_agents);
  agents_.push_back(&agent);
}

ApicBusAgent* ApicBus::lowest_priority(u8 vector, std::span<ApicBusAgent* const> candidates) const {
  const auto turn = [this](const ApicBusAgent& agent) { return static_cast<u8>(agent.cpu() - last_winner_ - 1); };
  ApicBusAgent* winner = candidates.front();
  for (ApicBusAgent* agent : candidates) {
    if (agent->focus(vector)) return agent;
    const u8 priority = agent->arbitration_priority();
    const u8 best = winner->arbitration_priority();
    if (priority < best || (priority == best && turn(*agent) < turn(*winner))) winner = agent;
  }
  return winner;
}

void ApicBus::lose(const InterruptMessage& message, SourceId from, u8 pin, u64 extra, MessageLoss why) {
  ledger_->append({.id = message.request.value,
                   .address = ledger_->context.address,
                   .since = message.written_at,
                   .extra = extra,
                   .kind = RecordKind::MessageLost,
                   .vector = message.vector,
                   .pin = pin,
                   .detail = static_cast<u8>(why),
                   .source = from.value});
}

unsigned ApicBus::send(const InterruptMessage& message, SourceId from, u8 pin, Shorthand shorthand, u8 sender) {
  const Route route{shorthand, sender};
  std::array<ApicBusAgent*, most_agents> takers;  // NOLINT(cppcoreguidelines-pro-type-member-init): the first `count`
  unsigned count = 0;
  MessageLoss why = MessageLoss::NoReceiver;
  if (message.mode == MessageMode::Reserved) {
    why = MessageLoss::ReservedMode;
  } else if (message.mode == MessageMode::Smi) {
    why = MessageLoss::Unsupported;
  } else if (!goes_with(shorthand, message)) {
    why = MessageLoss::Shorthand;
  } else {
    for (ApicBusAgent* agent : agents_) {
      if (!is_receiver(*agent, message, route)) continue;
      why = MessageLoss::ReceiverDisabled;
      if (agent->takes(message)) takers[count++] = agent;
    }
    if (message.mode == MessageMode::LowestPriority && count != 0) {
      takers[0] = lowest_priority(message.vector, std::span(takers).first(count));
      last_winner_ = takers[0]->cpu();
      count = 1;
    }
  }
  const u64 extra = described(message, shorthand) | u64{count} << message_extra::receivers;
  ledger_->append({.id = message.request.value,
                   .address = ledger_->context.address,
                   .since = message.written_at,
                   .extra = extra,
                   .kind = RecordKind::MessageSent,
                   .vector = message.vector,
                   .pin = pin,
                   .detail = static_cast<u8>(message.mode),
                   .source = from.value});
  if (count == 0) {
    lose(message, from, pin, extra, why);
    return 0;
  }
  takers[0]->accept(message);
  if (count == 1) return count;
  InterruptMessage copy = message;
  for (ApicBusAgent* agent : std::span(takers).first(count).subspan(1)) {
    copy.request = ledger_->next_request();
    ledger_->append_for(agent->cpu(), {.id = copy.request.value,
                                       .other = message.request.value,
                                       .kind = RecordKind::Copied,
                                       .vector = message.vector,
                                       .source = from.value});
    agent->accept(copy);
  }
  return count;
}

// SDM vol. 3A §10.11.1: destination ID 19:12, redirection hint 3, destination mode 2; §10.11.2: vector 7:0, delivery
// mode 10:8, level 14, trigger mode 15.
InterruptMessage message_of_msi(u64 address, u32 data, RequestId request) {
  const bool level = bit(data, 15);
  InterruptMessage message{.destination = static_cast<u32>(bits(address, 19, 12)),
                           .vector = static_cast<u8>(data),
                           .mode = static_cast<MessageMode>(bits(data, 10, 8)),
                           .logical = bit(address, 2),
                           .level = level,
                           .asserted = !level || bit(data, 14),
                           .wide = false,
                           .request = request,
                           .written_at = address};
  // §10.11.1: with the hint, the processor with the lowest priority among the addressed ones takes it.
  if (bit(address, 3) && message.mode == MessageMode::Fixed) message.mode = MessageMode::LowestPriority;
  // §10.6.1: there is no start-up by MSI; the encoding is reserved in §10.11.2.
  if (message.mode == MessageMode::StartUp) message.mode = MessageMode::Reserved;
  return message;
}

MessageModes mode_of_msi(u64 address, u32 data) {
  MessageModes modes;
  if (!is_msi_address(address)) return modes;
  const MessageMode mode = message_of_msi(address, data, RequestId{}).mode;
  if (mode != MessageMode::Reserved && mode != MessageMode::Smi) modes.add(mode);
  return modes;
}

}  // namespace vitrine
