#include "daemon/grpc/stream_watch.h"

namespace varve {

StreamWatch::StreamWatch(std::chrono::milliseconds interval)
    : interval_(interval), thread_([this] { Run(); }) {}

StreamWatch::~StreamWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stop_.NotifyAll();
  }
  thread_.join();
}

void StreamWatch::Add(WatchedStream* stream) {
  MutexLock lock(mutex_);
  streams_.insert(stream);
}

void StreamWatch::Remove(WatchedStream* stream) {
  MutexLock lock(mutex_);
  streams_.erase(stream);
}

void StreamWatch::EndLongestWaiting(std::chrono::milliseconds at_least) {
  WatchedStream::Time longest = std::chrono::steady_clock::now() - at_least;
  WatchedStream* waiting = nullptr;
  MutexLock lock(mutex_);
  for (WatchedStream* stream : streams_) {
    const std::optional<WatchedStream::Time> since = stream->HoldsMemorySince();
    if (!since || *since > longest) continue;
    longest = *since;
    waiting = stream;
  }
  if (waiting != nullptr) waiting->GiveWay();
}

void StreamWatch::Run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    stop_.WaitFor(mutex_, interval_);
    const auto now = std::chrono::steady_clock::now();
    for (WatchedStream* stream : streams_) stream->EndIfStalled(now);
  }
}

}  // namespace varve
