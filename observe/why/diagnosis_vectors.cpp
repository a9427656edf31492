// One vector: exceptions, INT n, and who else could come with it.
#include <fmt/format.h>

#include "observe/life/places.hpp"
#include "observe/names.hpp"
#include "observe/why/diagnosis.hpp"

namespace vitrine {

namespace {

constexpr u8 first_free_vector = 32;

std::string vector_subject(u8 vector) {
  if (vector >= first_free_vector) return fmt::format("vector {:#04x}", vector);
  const std::string_view mnemonic = vector_mnemonic(vector);
  return fmt::format("vector {} ({}{}{})", vector, mnemonic, mnemonic.empty() ? "" : " ", vector_name(vector));
}

}  // namespace

WhyAnswer Diagnosis::exception(u8 vector) const {
  const VectorState& state = *state_.vector(vector);
  WhyAnswer answer;
  answer.subject = vector_subject(vector);
  answer.vector = vector;
  const std::vector<const Life*> ended = state_.lives().ended_with_vector(vector);
  if (!ended.empty()) answer.life = *ended.back();
  std::string counts = fmt::format("vector {:#04x} so far:", vector);
  if (state.raised != 0) counts += fmt::format(" raised {},", count_text(state.raised));
  counts += fmt::format(" delivered {} (", count_text(state.exceptions + state.software + state.external));
  std::string kinds;
  const auto count = [&](u64 number, std::string_view what) {
    if (number != 0) kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count_text(number), what);
  };
  count(state.exceptions, "as an exception");
  count(state.software, "by INT");
  count(state.external, "as an interrupt");
  counts += fmt::format("{}), returned {}", kinds.empty() ? "never" : kinds, count_text(state.returned));
  if (state.failed != 0) counts += fmt::format(", refused {}", count_text(state.failed));

  const bool failed_last =
      state.last_failed && (!state.last_delivered || state.last_delivered->time < state.last_failed->time);
  if (failed_last) {
    Story story = refusal(*state.last_failed);
    answer.sentence =
        fmt::format("{} was not delivered at {}: {}.", answer.subject, moment(state.last_failed->time), story.clause);
    if (const Life* life = state_.lives().find(state.last_failed->id)) answer.life = *life;
    take(std::move(story), answer);
  } else {
    const Record& last = *state.last_delivered;
    const Life* life = state_.lives().find(last.id);
    if (life != nullptr) answer.life = *life;
    if (life != nullptr && life->in_handler) {
      Story story = not_returned(*life);
      answer.sentence = fmt::format("{} was delivered at {}: {}.", answer.subject, moment(last.time), story.clause);
      take(std::move(story), answer);
    } else {
      answer.cause = "arrived";
      answer.sentence = fmt::format("{} arrives: {} delivered, the last time at {}, to {}.", answer.subject,
                                    count_text(state.exceptions + state.software + state.external), moment(last.time),
                                    at(last.address));
    }
  }
  answer.reason = answer.sentence;
  answer.evidence.push_back({.text = std::move(counts)});
  return answer;
}

WhyAnswer Diagnosis::vector(u8 vector) const {
  const VectorState* state = state_.vector(vector);
  if (state != nullptr && (state->last_delivered || state->last_failed)) return exception(vector);
  WhyAnswer answer;
  answer.subject = vector_subject(vector);
  answer.vector = vector;
  answer.cause = "never-raised";
  if (vector < first_free_vector) {
    answer.sentence = fmt::format("{} was never raised: nothing that the guest did caused it.", answer.subject);
  } else {
    answer.sentence = fmt::format("{} was never delivered: no controller sends it, and no INT {:#04x} was executed.",
                                  answer.subject, vector);
    for (const ControllerState& controller : state_.controllers()) {
      answer.evidence.push_back(
          {.text = fmt::format("the {} sends {:#04x} to {:#04x}{}", controller_name(controller.source),
                               controller.vector_base, controller.vector_base + 7,
                               controller.vector_base_by.address != 0 ? since_by(controller.vector_base_by)
                                                                      : ", as the firmware left it"),
           .address = controller.vector_base_by.address});
    }
  }
  answer.reason = answer.sentence;
  return answer;
}

}  // namespace vitrine
