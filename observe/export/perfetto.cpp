#include "observe/export/perfetto.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_interned = 65'536;

// Field numbers, each message in its .proto file's words.
namespace trace {
constexpr u32 packet = 1;
}
namespace trace_packet {
constexpr u32 timestamp = 8, trusted_packet_sequence_id = 10, track_event = 11, interned_data = 12, sequence_flags = 13,
              track_descriptor = 60;
constexpr u64 state_cleared = 1, needs_state = 2;  // SequenceFlags
}  // namespace trace_packet
namespace interned_data {
constexpr u32 event_names = 2, debug_annotation_names = 3, debug_annotation_string_values = 29;
constexpr u32 iid = 1, name = 2;  // of each entry
}  // namespace interned_data
namespace track_descriptor {
constexpr u32 uuid = 1, name = 2, parent_uuid = 5, child_ordering = 11, sibling_order_rank = 12;
constexpr u64 explicit_order = 3;  // ChildTracksOrdering
}  // namespace track_descriptor
namespace track_event {
constexpr u32 debug_annotations = 4, type = 9, name_iid = 10, track_uuid = 11, name = 23, flow_ids = 47;
constexpr u64 slice_begin = 1, slice_end = 2, instant = 3;  // Type
}  // namespace track_event
namespace debug_annotation {
constexpr u32 name_iid = 1, uint_value = 3, string_value = 6, name = 10, string_value_iid = 17;
}

constexpr u64 sequence = 1;        // there is one writer
constexpr u64 group_uuid = 1000;   // plus the group
constexpr u64 track_uuid = 10000;  // plus the track
static_assert(group_uuid + track_group_names.size() < track_uuid);

}  // namespace

PerfettoWriter::PerfettoWriter(ByteSink& out) : out_(&out) {
  names_.field = interned_data::event_names;
  argument_names_.field = interned_data::debug_annotation_names;
  argument_texts_.field = interned_data::debug_annotation_string_values;
  for (u64 group = 0; group < track_group_names.size(); ++group) {
    part_.clear();
    part_.varint(track_descriptor::uuid, group_uuid + group);
    part_.bytes(track_descriptor::name, track_group_names[group]);
    part_.varint(track_descriptor::child_ordering, track_descriptor::explicit_order);
    part_.varint(track_descriptor::sibling_order_rank, group);
    packet(0);
    packet_.message(trace_packet::track_descriptor, part_);
    send(packet_);
  }
}

void PerfettoWriter::track(const Track& track) {
  part_.clear();
  part_.varint(track_descriptor::uuid, track_uuid + track.id);
  part_.varint(track_descriptor::parent_uuid, group_uuid + static_cast<u64>(track.group));
  part_.bytes(track_descriptor::name, track.name);
  part_.varint(track_descriptor::sibling_order_rank, track.id);
  packet(0);
  packet_.message(trace_packet::track_descriptor, part_);
  send(packet_);
}

void PerfettoWriter::begin(const TimelineEvent& event) { this->event(track_event::slice_begin, event); }

void PerfettoWriter::end(u64 time, TrackId track) { event(track_event::slice_end, {.time = time, .track = track}); }

void PerfettoWriter::slice(const TimelineEvent& event, u64 until) {
  begin(event);
  end(until, event.track);
}

void PerfettoWriter::instant(const TimelineEvent& event) { this->event(track_event::instant, event); }

void PerfettoWriter::event(u64 type, const TimelineEvent& event) {
  track_event_.clear();
  interned_data_.clear();
  track_event_.varint(track_event::type, type);
  track_event_.varint(track_event::track_uuid, track_uuid + event.track);
  if (!event.name.empty()) {
    if (const u64 number = number_of(names_, event.name); number != 0) {
      track_event_.varint(track_event::name_iid, number);
    } else {
      track_event_.bytes(track_event::name, event.name);
    }
  }
  for (const TimelineArgument& argument : event.arguments) {
    part_.clear();
    if (const u64 number = number_of(argument_names_, argument.name); number != 0) {
      part_.varint(debug_annotation::name_iid, number);
    } else {
      part_.bytes(debug_annotation::name, argument.name);
    }
    if (argument.text.empty()) {
      part_.varint(debug_annotation::uint_value, argument.number);
    } else if (const u64 number = number_of(argument_texts_, argument.text); number != 0) {
      part_.varint(debug_annotation::string_value_iid, number);
    } else {
      part_.bytes(debug_annotation::string_value, argument.text);
    }
    track_event_.message(track_event::debug_annotations, part_);
  }
  if (event.flow != 0) track_event_.fixed64(track_event::flow_ids, event.flow);

  packet(event.time);
  if (!interned_data_.empty()) packet_.message(trace_packet::interned_data, interned_data_);
  packet_.message(trace_packet::track_event, track_event_);
  send(packet_);
}

void PerfettoWriter::packet(u64 time) {
  packet_.clear();
  packet_.varint(trace_packet::timestamp, time);
  packet_.varint(trace_packet::trusted_packet_sequence_id, sequence);
  packet_.varint(trace_packet::sequence_flags, started_ ? trace_packet::needs_state : trace_packet::state_cleared);
  started_ = true;
}

void PerfettoWriter::send(const ProtobufMessage& body) {
  part_.clear();
  part_.message(trace::packet, body);
  const std::string_view bytes = part_.view();
  out_->write({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
}

u64 PerfettoWriter::number_of(Interned& table, std::string_view text) {
  const auto known = table.numbers.find(text);
  if (known != table.numbers.end()) return known->second;
  if (table.numbers.size() == most_interned) return 0;
  const u64 number = table.numbers.size() + 1;
  table.numbers.emplace(text, number);
  ProtobufMessage entry;
  entry.varint(interned_data::iid, number);
  entry.bytes(interned_data::name, text);
  interned_data_.message(table.field, entry);
  return number;
}

}  // namespace vitrine
