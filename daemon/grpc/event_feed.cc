#include "daemon/grpc/event_feed.h"

namespace varve {

EventFeed::EventFeed(EventLog& log, CallWorkers& workers)
    : log_(log), workers_(workers), subscription_(log.Subscribe([this] { OnEvent(); })) {}

EventFeed::~EventFeed() {
  log_.Unsubscribe(subscription_);
  MutexLock lock(mutex_);
  while (tasks_ > 0) task_done_.Wait(mutex_);
}

uint64_t EventFeed::generation() const {
  MutexLock lock(mutex_);
  return generation_;
}

bool EventFeed::Wait(Watcher* watcher, uint64_t generation) {
  MutexLock lock(mutex_);
  if (generation_ != generation) return false;
  waiting_.insert(watcher);
  return true;
}

void EventFeed::Wake(Watcher* watcher) {
  MutexLock lock(mutex_);
  ++generation_;
  if (waiting_.erase(watcher) == 0) return;
  ++tasks_;
  workers_.Submit([this, watcher] {
    watcher->Resume();
    TaskDone();
  });
}

void EventFeed::Stop() {
  MutexLock lock(mutex_);
  ++generation_;
  stopping_ = true;
  ResumeAllSoon();
}

bool EventFeed::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void EventFeed::OnEvent() {
  MutexLock lock(mutex_);
  ++generation_;
  ResumeAllSoon();
}

void EventFeed::ResumeAllSoon() {
  if (waiting_.empty() || resuming_all_) return;
  resuming_all_ = true;
  ++tasks_;
  workers_.Submit([this] {
    ResumeAll();
    TaskDone();
  });
}

void EventFeed::ResumeAll() {
  absl::flat_hash_set<Watcher*> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
    resuming_all_ = false;
  }
  for (Watcher* const watcher : waiting) watcher->Resume();
}

void EventFeed::TaskDone() {
  MutexLock lock(mutex_);
  --tasks_;
  task_done_.NotifyAll();
}

}  // namespace varve
