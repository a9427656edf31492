// Messages that nobody took, and CPUs that don't take what another one has sent them and waits for.
#include <fmt/format.h>

#include "observe/apic_fields.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

const Record* Diagnosis::acceptance(const Life& life) const {
  const Record* found = nullptr;
  for (const Record& record : life.records) {
    if (record.kind == RecordKind::Latched && state_.apics().local(record.source) != nullptr) found = &record;
  }
  return found;
}

/// An IPI that its receiver does not take: where it is, and where the sender is, which often waits for the answer. A
/// trace does not hold what code waits for.
void Diagnosis::add_who_waits_for_whom(const Life& life, Story& story) const {
  const Record* sent = life.origin();
  const Record* accepted = acceptance(life);
  if (sent == nullptr || sent->pin != interprocessor_pin || accepted == nullptr || accepted->cpu == sent->cpu) return;
  const u8 sender = sent->cpu, receiver = accepted->cpu;
  const u64 sender_at = place_at_end(sender), receiver_at = place_at_end(receiver);
  const auto place = [&](u64 address) { return address != 0 ? fmt::format(" is at {}", at(address)) : std::string(); };
  if (receiver_at != 0) story.clause += fmt::format("; CPU {}{}", receiver, place(receiver_at));
  story.clause += fmt::format("{} CPU {}{}", receiver_at != 0 ? ", and" : ";", sender,
                              sent->address != 0 ? fmt::format(" sent it at {}", at(sent->address)) : " sent it");
  if (sender_at != 0) {
    story.clause += fmt::format(" and{}", place(sender_at));
    story.evidence.push_back({.time = end_.time,
                              .text = fmt::format("CPU {} was at {} when the run ended", sender, at(sender_at)),
                              .address = sender_at});
  }
  const bool sleeps = state_.cpu(sender).halted || state_.cpu(receiver).halted || state_.cpu(receiver).shutdown;
  if (sleeps || story.cause != "interrupts-off" || now() < sent->time + deadlock_patience) return;
  bool crossed = false;
  for (const Life* other : state_.pending()) {
    const Record* back = other->origin();
    const Record* kept = back->pin == interprocessor_pin ? acceptance(*other) : nullptr;
    crossed = crossed || (kept != nullptr && back->cpu == receiver && kept->cpu == sender);
  }
  story.cause = "ipi-deadlock";
  story.stuck = true;
  story.clause +=
      crossed ? fmt::format(". CPU {} has not taken CPU {}'s IPI either: each waits for the other", sender, receiver)
              : fmt::format(
                    ". If CPU {} waits for the answer, it waits for CPU {}; and if CPU {} waits "
                    "for something that CPU {} holds, neither goes on",
                    sender, receiver, receiver, sender);
  story.advice.insert(
      story.advice.begin(),
      "Don't wait for a lock with interrupts off if its holder may send IPIs and wait for the answers: let "
      "the loop that waits serve them, or open IF in it.");
}

/// Empty: the story of its receiver has it.
std::string Diagnosis::loss_advice(const Record& lost, MessageLoss loss) const {
  const bool ipi = lost.pin == interprocessor_pin;
  switch (loss) {
    case MessageLoss::NoReceiver: {
      const std::size_t cpus = state_.apics().locals().size();
      const std::string ids = cpus == 1 ? "the one local APIC here has id 0"
                                        : fmt::format("the local APICs here have ids 0 to {}", cpus - 1);
      const std::string_view where =
          !ipi ? "the message's destination"
               : "the destination in ICR (bits 24 to 31 at offset 0x310; the high half of MSR "
                 "0x830 in x2APIC mode)";
      if ((lost.extra & message_extra::logical) != 0) {
        return fmt::format("Check {}: it is logical, so each CPU's LDR (offset 0xD0) says who takes it.", where);
      }
      return fmt::format("Check {}: {}.", where, ids);
    }
    case MessageLoss::IllegalVector:
      return "Give it a vector from 0x20 on: 0 to 0x1F are the CPU's own.";
    case MessageLoss::NotWaiting:
      return "Send INIT before the start-up message; a CPU that runs takes none.";
    case MessageLoss::WaitsForStartUp:
      return "Start that CPU with INIT and a start-up message first.";
    case MessageLoss::ReservedMode:
    case MessageLoss::Unsupported:
      return "Check the delivery mode (bits 8 to 10): 0 fixed, 1 lowest priority, 4 NMI, 5 INIT, 6 start-up.";
    case MessageLoss::NoAddress:
      return "Write an address of the form FEEx_xxxxh into the device's MSI capability or MSI-X table.";
    case MessageLoss::Deassert:
      return "Set bit 14 of ICR (assert); only INIT has a de-assert, which does nothing since the Pentium 4.";
    case MessageLoss::Shorthand:
      return "Use delivery mode fixed with this shorthand, or name the destination.";
    default:
      return {};
  }
}

/// Why a message had no effect.
Diagnosis::Story Diagnosis::lost_message(const Record& lost) const {
  const auto loss = static_cast<MessageLoss>(lost.detail);
  const ApicPicture::IoApic* chip = state_.apics().io_apic();
  Story story{.cause = std::string(loss_name(loss)), .stuck = true};
  story.clause = fmt::format("nobody took its message: {}", loss_clause(loss));
  // What a local APIC refuses names no pin; the message did.
  const Life* life = state_.lives().find(lost.id);
  const Record* sent = life != nullptr ? life->last(RecordKind::MessageSent) : nullptr;
  const u8 sender = sent != nullptr ? sent->pin : lost.pin;
  const bool by_io_apic = chip != nullptr && is_line(sender) && sender < ApicPicture::pins;
  const u32 destination = static_cast<u32>(lost.extra);
  const bool physical = (lost.extra & message_extra::logical) == 0;
  const ApicPicture::Local* receiver =
      physical && destination < 0xFF ? state_.apics().local_of(static_cast<u8>(destination)) : nullptr;
  if (loss == MessageLoss::NoReceiver) {
    story.clause = fmt::format("its message went to {}, which no local APIC has", destination_text(lost));
  } else if (loss == MessageLoss::ReceiverDisabled && receiver != nullptr && receiver->waits_for_startup) {
    const Life none;
    story =
        cpu_not_started({.cpu = receiver->cpu, .by = {.time = receiver->reset ? receiver->reset->time : 0}}, none, 0);
    story.clause = fmt::format("its message went to {}, but {}", destination_text(lost), story.clause);
  } else if (loss == MessageLoss::ReceiverDisabled && receiver != nullptr) {
    const Life none;
    const Standing by_svr{.place = receiver->source,
                          .by = {.time = receiver->spurious_vector.time, .address = receiver->spurious_vector.address}};
    story = apic_disabled(switched_off(*receiver).value_or(by_svr), none, 0);
    story.clause = fmt::format("its message went to {}, but {}", destination_text(lost), story.clause);
    story.stuck = true;
  } else if (loss == MessageLoss::IllegalVector) {
    story.clause =
        fmt::format("its message has vector {:#04x}, and vectors below 0x10 can't be delivered", lost.vector);
  }
  if (const std::string advice = loss_advice(lost, loss); !advice.empty()) story.advice.push_back(advice);
  if (by_io_apic && chip->pin[sender].opened) {
    const ApicPicture::Pin& pin = chip->pin[sender];
    const bool half = pin.entry.has_vector() && pin.entry.vector() < first_legal_vector;
    if (half) story.cause = "half-written";
    story.clause +=
        fmt::format("; entry {} of the I/O APIC {}{}", sender, half ? "is open but only half-written," : "says so,",
                    since_by({.time = pin.written.time, .address = pin.written.address}));
    if (half || loss == MessageLoss::NoReceiver) {
      story.advice.push_back(fmt::format(
          "Write the high half of entry {} (the destination) first, then the low half with vector and mask bit.",
          sender));
    }
  }
  if (lost.address != 0 && !by_io_apic) {
    story.evidence.push_back(
        {.time = lost.time, .text = fmt::format("sent at {}", at(lost.address)), .address = lost.address});
  }
  return story;
}

WhyAnswer Diagnosis::message_to_nobody(const Record& lost) const {
  WhyAnswer answer;
  const bool ipi = lost.pin == interprocessor_pin;
  answer.subject = fmt::format("{} of {}", ipi ? "the IPI" : "the message", with_article(controller_name(lost.source)));
  answer.vector = lost.vector;
  answer.id = lost.id;
  answer.since = lost.time;
  answer.stuck = true;
  Story story = lost_message(lost);
  answer.sentence =
      fmt::format("{} ({}) at {}{} had no effect: {}.", answer.subject, message_text(lost), moment(lost.time),
                  lost.address != 0 ? ", by " + at(lost.address) + "," : "", story.clause);
  answer.sentence[0] = static_cast<char>(answer.sentence[0] - 'a' + 'A');
  answer.reason = story.clause;
  take(std::move(story), answer);
  if (const Life* life = state_.lives().find(lost.id)) answer.life = *life;
  return answer;
}

}  // namespace vitrine
