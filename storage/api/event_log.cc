#include "storage/api/event_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct Position {
  uint64_t run = 0;
  uint64_t sequence = 0;
};

// All of `text` as a number.
bool ParseNumber(std::string_view text, int base, uint64_t* number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *number, base);
  return error == std::errc() && rest == end;
}

std::optional<Position> ParseToken(std::string_view token) {
  const size_t dash = token.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  Position position;
  if (!ParseNumber(token.substr(0, dash), 16, &position.run) ||
      !ParseNumber(token.substr(dash + 1), 10, &position.sequence)) {
    return std::nullopt;
  }
  return position;
}

std::string TokenAt(uint64_t run, uint64_t sequence) {
  return absl::StrFormat("%016x-%d", run, sequence);
}

absl::Status Missed(std::string_view why) {
  return absl::OutOfRangeError(
      StrCat(why, "; look at the images themselves and watch anew, without a token"));
}

}  // namespace

void EventLog::Add(Event event) {
  MutexLock lock(mutex_);
  event.time_nanos = clock_.WallNanos();
  event.sequence = ++last_sequence_;
  if (events_.size() == kMaxEvents) events_.pop_front();
  CheckInvariant(events_.size() < kMaxEvents, "the ring of events is bounded");
  CheckInvariant(events_.empty() || events_.back().sequence + 1 == event.sequence,
                 "events in the ring have no gaps");
  events_.push_back(std::move(event));
  for (const auto& [watcher, wake] : watchers_) wake();
}

std::string EventLog::Latest() const {
  MutexLock lock(mutex_);
  return TokenAt(run_, last_sequence_);
}

std::string EventLog::Oldest() const {
  MutexLock lock(mutex_);
  return TokenAt(run_, last_sequence_ - events_.size());
}

std::string EventLog::TokenOf(const Event& event) const { return TokenAt(run_, event.sequence); }

absl::StatusOr<std::vector<Event>> EventLog::After(std::string_view token, size_t limit) const {
  std::optional<Position> position;
  if (!token.empty()) {
    position = ParseToken(token);
    if (!position) {
      return absl::InvalidArgumentError(
          "the token is none that came with an event; watch anew, without a token");
    }
    if (position->run != run_) return Missed("the daemon was restarted since that event");
  }
  MutexLock lock(mutex_);
  // Sequences in the ring have no gaps.
  const uint64_t before_oldest = last_sequence_ - events_.size();
  const uint64_t seen = position ? position->sequence : before_oldest;
  if (seen > last_sequence_) {
    return absl::InvalidArgumentError(
        "the token is of an event that has not happened; watch anew, without a token");
  }
  if (seen < before_oldest) {
    return Missed("events since then are not kept any more");
  }
  const size_t begin = static_cast<size_t>(seen - before_oldest);
  const size_t count = std::min(limit, events_.size() - begin);
  const auto first = events_.begin() + static_cast<std::ptrdiff_t>(begin);
  return std::vector<Event>(first, first + static_cast<std::ptrdiff_t>(count));
}

EventLog::WatcherId EventLog::Subscribe(std::function<void()> wake) {
  MutexLock lock(mutex_);
  watchers_[++last_watcher_] = std::move(wake);
  return last_watcher_;
}

void EventLog::Unsubscribe(WatcherId watcher) {
  MutexLock lock(mutex_);
  watchers_.erase(watcher);
}

}  // namespace varve
