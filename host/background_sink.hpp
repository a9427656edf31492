// Reads the ledger on a thread of its own, so that the machine need not wait for those who put its records together.
//
// What the readers see, and in which order, is what they would see without it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "machine/core/ledger.hpp"

namespace vitrine {

class BackgroundSink final : public LedgerSink {
 public:
  BackgroundSink() = default;
  BackgroundSink(const BackgroundSink&) = delete;
  BackgroundSink& operator=(const BackgroundSink&) = delete;
  /// Waits as wait() does.
  ~BackgroundSink() override;

  /// One more reader (not owned). Before start() only. From then on it belongs to the thread, but for the time between
  /// a wait() and the next record.
  void add(LedgerSink& reader) { readers_.push_back(&reader); }
  /// Starts the thread. Where the system has none to give, consume() reads by itself.
  void start();
  /// Keeps the records, and hands them to the thread in batches. Waits while the readers are most_batches behind.
  void consume(std::span<const Record> records) override;
  /// The same with the buffer itself: nothing is copied.
  void take(RecordBuffer& buffer) override;
  /// Returns when the readers have seen all there is.
  void wait();

  static constexpr std::size_t batch = RecordBuffer::capacity;  ///< records
  static constexpr std::size_t most_batches = 8;

 private:
  void read_here();
  void hand_over();
  void work();

  std::vector<LedgerSink*> readers_;
  RecordBuffer filling_ = RecordBuffer::with_room();  // of the machine's thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RecordBuffer> waiting_;
  std::vector<RecordBuffer> read_;  // empty: their memory is used again
  bool reading_ = false;            // a batch that is in neither
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace vitrine
