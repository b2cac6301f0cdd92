#include "daemon/http/parked.h"

#include <algorithm>
#include <utility>

namespace varve {

bool ParkedConnections::Peer::empty() const {
  return std::all_of(waiting.begin(), waiting.end(), [](const auto& list) { return list.empty(); });
}

void ParkedConnections::Add(std::unique_ptr<Connection> connection) {
  const int fd = connection->fd();
  const size_t held = connection->held_bytes();
  const Kind kind = held >= kHoldsMemoryBytes  ? kHolding
                    : connection->expendable() ? kIdle
                                               : kAtWork;
  Peer& peer = peers_[connection->peer()];
  std::list<int>& waiting = peer.waiting[kind];
  const auto place = waiting.insert(waiting.end(), fd);
  peer.held_bytes += held;
  held_bytes_ += held;
  by_descriptor_.emplace(fd, Entry{std::move(connection), kind, held, place});
}

std::unique_ptr<Connection> ParkedConnections::Remove(Entries::iterator entry) {
  std::unique_ptr<Connection> connection = std::move(entry->second.connection);
  const auto peer = peers_.find(connection->peer());
  peer->second.waiting[entry->second.kind].erase(entry->second.place);
  peer->second.held_bytes -= entry->second.held_bytes;
  held_bytes_ -= entry->second.held_bytes;
  if (peer->second.empty()) peers_.erase(peer);
  by_descriptor_.erase(entry);
  return connection;
}

std::unique_ptr<Connection> ParkedConnections::TakeFirst(const std::list<int>& waiting) {
  return waiting.empty() ? nullptr : Remove(by_descriptor_.find(waiting.front()));
}

std::unique_ptr<Connection> ParkedConnections::Take(int fd) {
  const auto found = by_descriptor_.find(fd);
  return found == by_descriptor_.end() ? nullptr : Remove(found);
}

std::vector<std::unique_ptr<Connection>> ParkedConnections::TakeOverdue(
    std::chrono::steady_clock::time_point now) {
  std::vector<std::unique_ptr<Connection>> overdue;
  for (auto it = by_descriptor_.begin(); it != by_descriptor_.end();) {
    const auto entry = it++;
    if (entry->second.connection->wait.deadline <= now) overdue.push_back(Remove(entry));
  }
  return overdue;
}

std::vector<std::unique_ptr<Connection>> ParkedConnections::TakeExpendable() {
  std::vector<std::unique_ptr<Connection>> taken;
  for (auto it = by_descriptor_.begin(); it != by_descriptor_.end();) {
    const auto entry = it++;
    if (entry->second.connection->expendable()) taken.push_back(Remove(entry));
  }
  return taken;
}

std::unique_ptr<Connection> ParkedConnections::TakeLongestIdle(const std::string& peer) {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : TakeFirst(found->second.waiting[kIdle]);
}

std::unique_ptr<Connection> ParkedConnections::TakeLongestIdle() {
  const Entry* longest = nullptr;
  for (const auto& [name, peer] : peers_) {
    if (peer.waiting[kIdle].empty()) continue;
    const Entry& entry = by_descriptor_.at(peer.waiting[kIdle].front());
    if (longest == nullptr || entry.connection->wait.since < longest->connection->wait.since) {
      longest = &entry;
    }
  }
  return longest == nullptr ? nullptr : Take(longest->connection->fd());
}

std::unique_ptr<Connection> ParkedConnections::TakeLongestAtWork(const std::string& peer) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return nullptr;
  const auto& waiting = found->second.waiting;
  return TakeFirst(waiting[kHolding].empty() ? waiting[kAtWork] : waiting[kHolding]);
}

std::unique_ptr<Connection> ParkedConnections::TakeMemoryHolder() {
  const Peer* largest = nullptr;
  for (const auto& [name, peer] : peers_) {
    if (peer.waiting[kHolding].empty()) continue;
    if (largest == nullptr || peer.held_bytes > largest->held_bytes) largest = &peer;
  }
  return largest == nullptr ? nullptr : TakeFirst(largest->waiting[kHolding]);
}

void ParkedConnections::LimitDeadlines(std::chrono::steady_clock::time_point latest) {
  for (auto& [fd, entry] : by_descriptor_) {
    Wait& wait = entry.connection->wait;
    wait.deadline = std::min(wait.deadline, latest);
  }
}

}  // namespace varve
