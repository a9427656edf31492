#include "host/background_sink.hpp"

#include <system_error>
#include <utility>

namespace vitrine {

BackgroundSink::~BackgroundSink() {
  wait();
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundSink::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    filling_.add() = record;
    if (filling_.full()) hand_over();
  }
}

void BackgroundSink::take(RecordBuffer& buffer) {
  if (!filling_.empty()) hand_over();  // came before
  filling_.swap(buffer);
  hand_over();
  filling_.swap(buffer);
}

void BackgroundSink::start() {
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {  // a limit of the system's: slower, but all the same
  }
}

void BackgroundSink::read_here() {
  for (LedgerSink* reader : readers_) reader->consume(filling_.records());
  filling_.clear();
}

void BackgroundSink::hand_over() {
  if (!thread_.joinable()) return read_here();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < most_batches; });
    waiting_.push_back(std::move(filling_));
    if (read_.empty()) {
      filling_ = RecordBuffer::with_room();
    } else {
      filling_ = std::move(read_.back());
      read_.pop_back();
    }
  }
  changed_.notify_all();
}

void BackgroundSink::wait() {
  if (thread_.joinable()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.empty() && !reading_; });
  }
  // The thread has nothing to do, and gets nothing meanwhile.
  if (!filling_.empty()) read_here();
}

void BackgroundSink::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    RecordBuffer buffer = std::move(waiting_.front());
    waiting_.pop_front();
    reading_ = true;
    lock.unlock();
    changed_.notify_all();  // there is room for one more
    for (LedgerSink* reader : readers_) reader->consume(buffer.records());
    buffer.clear();
    lock.lock();
    read_.push_back(std::move(buffer));
    reading_ = false;
    changed_.notify_all();
  }
}

}  // namespace vitrine
