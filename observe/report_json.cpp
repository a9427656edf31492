// The report for programs. docs/report.md describes it; `format` rises when a field changes its meaning.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "observe/names.hpp"
#include "observe/report.hpp"

namespace vitrine {

namespace {

using Json = nlohmann::ordered_json;

/// Addresses and digests are strings: 64 bits don't fit into the numbers of most JSON readers.
std::string hex(u64 value) { return fmt::format("{:#x}", value); }

Json json_of(const Distribution& from) {
  return {{"min", from.minimum}, {"median", from.median}, {"p99", from.percentile_99}, {"max", from.maximum}};
}

Json json_of(const Timing& from) {
  if (from.nanoseconds.count == 0) return nullptr;
  return {{"count", from.nanoseconds.count},
          {"instructions", json_of(from.instructions)},
          {"nanoseconds", json_of(from.nanoseconds)}};
}

Json address_json(u64 address, const Symboliser* symbols) {
  const std::string name = symbols != nullptr ? symbols->describe(address) : std::string();
  return {{"address", hex(address)}, {"symbol", name.empty() ? Json(nullptr) : Json(name)}};
}

Json json_of(const PendingRequest& from, const Symboliser* symbols) {
  Json json = {{"id", from.id}, {"since", from.since}, {"latched", from.latched}, {"obstacle", nullptr}};
  if (from.obstacle == Obstacle::None) return json;
  json["obstacle"] = {
      {"what", obstacle_name(from.obstacle)},
      {"since", from.obstacle_since},
      {"set_by", from.obstacle_address == 0 ? Json(nullptr) : address_json(from.obstacle_address, symbols)},
      {"in_service", from.in_service.empty() ? Json(nullptr) : Json(from.in_service)}};
  return json;
}

Json json_of(const LineReport& from, const Symboliser* symbols) {
  Json vectors = Json::array();
  for (const VectorCount& entry : from.vectors)
    vectors.push_back({{"vector", entry.vector}, {"count", entry.delivered}});
  return {{"source", from.source},
          {"irq", from.line == LineReport::no_line ? Json(nullptr) : Json(from.line)},
          {"on", from.on.empty() ? Json(nullptr) : Json(from.on)},
          {"vectors", std::move(vectors)},
          {"raised", from.raised},
          {"merged", from.merged},
          {"withdrawn", from.withdrawn},
          {"lost", from.lost},
          {"unheard", from.unheard},
          {"polled", from.polled},
          {"delivered", from.delivered},
          {"failed", from.failed},
          {"spurious", from.spurious},
          {"returned", from.returned},
          {"pending", from.pending ? json_of(*from.pending, symbols) : Json(nullptr)},
          {"raise_to_handler", json_of(from.delay)},
          {"handler", json_of(from.handler)}};
}

std::string_view origin_name(InterruptOrigin origin) {
  switch (origin) {
    case InterruptOrigin::Line:
      return "line";
    case InterruptOrigin::Message:
      return "msi";
    case InterruptOrigin::LocalApic:
      return "local-apic";
    case InterruptOrigin::Interprocessor:
      return "ipi";
    case InterruptOrigin::Nmi:
      return "nmi";
    case InterruptOrigin::Spurious:
      return "spurious";
    case InterruptOrigin::Unknown:
      break;
  }
  return "unknown";
}

Json json_of(const CpuCountRow& from) {
  return {{"origin", origin_name(from.origin)},
          {"irq", from.irq < 0 ? Json(nullptr) : Json(from.irq)},
          {"message", from.message < 0 ? Json(nullptr) : Json(from.message)},
          {"source", from.name},
          {"vectors", from.vectors},
          {"counts", from.counts},
          {"total", from.total()}};
}

}  // namespace

std::string report_json(const Report& report, const Symboliser* symbols) {
  Json json = {{"format", "vitrine-report-1"},
               {"guest", report.guest},
               {"end",
                {{"reason", report.end.reason},
                 {"sentence", report.end.sentence},
                 {"status", report.end.status},
                 {"nanoseconds", report.end.time},
                 {"instructions", report.end.instructions}}},
               {"cpus", report.cpus},
               {"halted",
                {{"nanoseconds", report.halted_nanoseconds},
                 {"times", report.halts},
                 {"nanoseconds_of_cpu", report.halted_of_cpu}}},
               {"interrupts_first_on", nullptr},
               {"interrupts_off", nullptr},
               {"lines", Json::array()},
               {"by_cpu", Json::array()},
               {"exceptions", Json::array()},
               {"software_interrupts", Json::array()},
               {"findings", Json::array()},
               {"records", report.records},
               {"digest", fmt::format("{:016x}", report.digest)}};
  if (report.off_from_start) {
    json["interrupts_first_on"] = {{"nanoseconds", report.off_from_start->nanoseconds},
                                   {"set_by", address_json(report.off_from_start->set_by, symbols)}};
  }
  if (report.interrupts_off) {
    const OffStretch& off = *report.interrupts_off;
    json["interrupts_off"] = {{"nanoseconds", off.nanoseconds},
                              {"since", off.since},
                              {"cpu", off.cpu},
                              {"cleared_by", address_json(off.cleared_by, symbols)},
                              {"set_by", address_json(off.set_by, symbols)}};
  }
  for (const LineReport& line : report.lines) json["lines"].push_back(json_of(line, symbols));
  for (const CpuCountRow& row : report.by_cpu) json["by_cpu"].push_back(json_of(row));
  for (const ExceptionReport& entry : report.exceptions) {
    json["exceptions"].push_back({{"vector", entry.vector},
                                  {"name", vector_name(entry.vector)},
                                  {"raised", entry.raised},
                                  {"failed", entry.failed},
                                  {"handler", json_of(entry.handler)}});
  }
  for (const SoftwareReport& entry : report.software) {
    json["software_interrupts"].push_back(
        {{"vector", entry.vector}, {"count", entry.count}, {"handler", json_of(entry.handler)}});
  }
  for (const ReportFinding& finding : report.findings) {
    json["findings"].push_back({{"what", finding.what}, {"sentence", finding.sentence}});
  }
  // Names come from files: bytes that are no UTF-8 are replaced, not refused.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace vitrine
