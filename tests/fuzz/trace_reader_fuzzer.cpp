// Any bytes may be given to `vitrine report` and `vitrine show`: reading them must end, and touch nothing else.
#include <cstddef>

#include "observe/report.hpp"
#include "observe/show.hpp"
#include "observe/trace_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  auto reader = TraceReader::open({data, size});
  if (!reader) return 0;
  ReportBuilder builder(reader->header());
  for (auto records = reader->next(); !records.empty(); records = reader->next()) {
    builder.consume(records);
    for (const Record& record : records) (void)show_line(record, reader->header(), nullptr);
  }
  const Report report = builder.finish(reader->end());
  (void)report_text(report, nullptr);
  (void)report_json(report, nullptr);
  return 0;
}
