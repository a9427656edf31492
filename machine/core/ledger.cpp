#include "machine/core/ledger.hpp"

namespace vitrine {

SourceId Ledger::register_source(std::string_view name) {
  sources_.emplace_back(name);
  return SourceId(static_cast<u16>(sources_.size() - 1));
}

void Ledger::attach(LedgerSink& sink) {
  sinks_.push_back(&sink);
  if (!observed_) buffer_ = RecordBuffer::with_room();
  observed_ = true;
}

void Ledger::flush() {
  if (buffer_.empty()) return;
  for (LedgerSink* sink : std::span(sinks_).first(sinks_.size() - 1)) sink->consume(buffer_.records());
  sinks_.back()->take(buffer_);
}

}  // namespace vitrine
