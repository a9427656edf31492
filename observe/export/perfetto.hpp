// A timeline as a Perfetto trace: TrackEvent packets, for ui.perfetto.dev and trace_processor.
//
// Source: Perfetto's protos/perfetto/trace/{trace_packet,interned_data/interned_data,track_event/*}.proto. Names and
// texts are interned, so that a packet is some 30 bytes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "observe/byte_sink.hpp"
#include "observe/export/protobuf.hpp"
#include "observe/export/timeline.hpp"

namespace vitrine {

class PerfettoWriter final : public TimelineSink {
 public:
  /// `out` must outlive it.
  explicit PerfettoWriter(ByteSink& out);
  void track(const Track& track) override;
  void begin(const TimelineEvent& event) override;
  void end(u64 time, TrackId track) override;
  void slice(const TimelineEvent& event, u64 until) override;
  void instant(const TimelineEvent& event) override;
  void finish() override {}

 private:
  struct TextHash {
    using is_transparent = void;  // looks views up without making strings of them
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  /// Texts that were sent once and are numbers from then on. What comes after the table is full is sent as text.
  struct Interned {
    std::unordered_map<std::string, u64, TextHash, std::equal_to<>> numbers;
    u32 field = 0;  ///< of InternedData
  };

  void event(u64 type, const TimelineEvent& event);
  void packet(u64 time);
  void send(const ProtobufMessage& body);
  /// 0: the table is full.
  u64 number_of(Interned& table, std::string_view text);

  ByteSink* out_;
  Interned names_, argument_names_, argument_texts_;
  ProtobufMessage track_event_, interned_data_, packet_, part_;
  bool started_ = false;
};

}  // namespace vitrine
