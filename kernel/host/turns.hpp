// Threads of a test, one at a time, that give the turn away where the kernel would sleep: whoever would wait for a disk
// calls Turns::pass(), and all the others get as far as they can meanwhile. The same each time.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "kernel/core/assert.hpp"
#include "kernel/core/mutex.hpp"

namespace pulse::tests {

class Turns {
 public:
  Turns() {
    running_ = this;
    Mutex::let_others_run = &pass;
  }
  ~Turns() {
    running_ = nullptr;
    Mutex::let_others_run = nullptr;
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  /// Runs all of them, the first one first, until they have ended.
  void run(std::vector<std::function<void()>> bodies) {
    has_ended_.assign(bodies.size(), false);
    turn_ = 0;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      threads.emplace_back([this, i, body = std::move(bodies[i])] {
        self_ = i;
        wait_for_turn();
        body();
        const std::lock_guard lock(mutex_);
        has_ended_[i] = true;
        turn_ = next();
        changed_.notify_all();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  /// The others run until it is this thread's turn again. Outside of run() there are none.
  static void pass() {
    constexpr int most_passes = 10'000;
    if (running_ == nullptr || self_ == nobody) return;
    PULSE_ASSERT(++running_->passes_ < most_passes);  // they wait for each other
    {
      const std::lock_guard lock(running_->mutex_);
      running_->turn_ = running_->next();
      running_->changed_.notify_all();
    }
    running_->wait_for_turn();
  }
  /// As long as a disk takes: several turns of the others.
  static void sleep() {
    for (int i = 0; i < 3; ++i) pass();
  }

 private:
  static constexpr std::size_t nobody = ~std::size_t{0};
  [[nodiscard]] std::size_t next() const {
    for (std::size_t i = 1; i <= has_ended_.size(); ++i) {
      const std::size_t other = (self_ + i) % has_ended_.size();
      if (!has_ended_[other]) return other;
    }
    return nobody;
  }
  void wait_for_turn() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == self_; });
  }

  inline static Turns* running_ = nullptr;
  inline static thread_local std::size_t self_ = nobody;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t turn_ = 0;
  int passes_ = 0;
  std::vector<bool> has_ended_;
};

}  // namespace pulse::tests
