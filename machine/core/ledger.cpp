#include "machine/core/ledger.hpp"

namespace vitrine {

namespace {
constexpr std::size_t batch = 4096;
}

SourceId Ledger::register_source(std::string_view name) {
  sources_.emplace_back(name);
  return SourceId(static_cast<u16>(sources_.size() - 1));
}

void Ledger::attach(LedgerSink& sink) {
  sinks_.push_back(&sink);
  buffer_.reserve(batch);
  observed_ = true;
}

void Ledger::store(u8 cpu, const Record& record) {
  Record& kept = buffer_.emplace_back(record);
  kept.time = clock_->now().value;
  kept.instructions = context.instructions;
  kept.cpu = cpu;
  if (buffer_.size() >= batch) flush();
}

void Ledger::flush() {
  if (buffer_.empty()) return;
  for (LedgerSink* sink : sinks_) sink->consume(buffer_);
  buffer_.clear();
}

}  // namespace vitrine
