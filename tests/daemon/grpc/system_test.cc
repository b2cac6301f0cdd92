// varve.v1.System and varve.v1.Repositories through a live door: the store as a whole, and event
// streams with their tokens, filters, slow and idle clients, many watchers and a daemon that stops.
#include "storage/api/system.h"

#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "storage/api/event_log.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"
#include "tests/support/process_use.h"
#include "varve/v1/system.grpc.pb.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GrpcSystemTest : public GrpcDoorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(GrpcDoorTest::SetUp());
    MakeStubs();
  }
  void Restart(const GrpcServerOptions& options) {
    ASSERT_NO_FATAL_FAILURE(StartServer(options));
    MakeStubs();
  }
  void MakeStubs() {
    system_ = v1::System::NewStub(channel_);
    repositories_ = v1::Repositories::NewStub(channel_);
  }

  // One event stream; cancelled when it goes.
  struct Stream {
    Stream(v1::System::Stub& system, const v1::EventsRequest& request) {
      context.set_deadline(std::chrono::system_clock::now() +
                           seconds(60));  // no test waits for ever
      reader = system.Events(&context, request);
    }
    ~Stream() { context.TryCancel(); }

    // The next message as "push app:v1"; "token" when it has no event, "end" after the last one.
    std::string Next() {
      v1::EventsResponse response;
      if (!reader->Read(&response)) return "end";
      token = response.token();
      if (!response.has_event()) return "token";
      const v1::Event& event = response.event();
      return StrCat(v1::Event::Type_Name(event.type()), " ", event.repository(),
                    event.tag().empty() ? "" : ":", event.tag());
    }
    std::vector<std::string> Rest() {
      std::vector<std::string> rest;
      for (std::string next = Next(); next != "end"; next = Next()) rest.push_back(next);
      return rest;
    }
    grpc::StatusCode End() {
      status = reader->Finish();
      return status.error_code();
    }

    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::EventsResponse>> reader;
    std::string token;
    grpc::Status status;
  };
  std::unique_ptr<Stream> Watch(const v1::EventsRequest& request = {}) {
    return std::make_unique<Stream>(*system_, request);
  }
  // A stub whose connection buffers little of what the client does not read: otherwise gRPC lets
  // that grow to many megabytes.
  std::unique_ptr<v1::System::Stub> StubWithSmallBuffer() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65'536);
    return v1::System::NewStub(grpc::CreateCustomChannel(
        "unix:" + socket_path_, grpc::InsecureChannelCredentials(), arguments));
  }
  // How a watch with `request` ends when it does not follow.
  grpc::StatusCode EndOf(v1::EventsRequest request) {
    request.set_no_follow(true);
    const std::unique_ptr<Stream> stream = Watch(request);
    stream->Rest();
    return stream->End();
  }

  void AddEvents(size_t count, const std::string& repository) {
    Event event;
    event.type = Event::Type::kPull;
    event.repository = repository;
    for (size_t i = 0; i < count; ++i) store_->system.events().Add(event);
  }

  std::string PutImage(const std::string& repository, const std::string& tag) {
    const std::string config = "{\"config\":\"" + repository + "\"}";
    Upload(repository, config);
    v1::PutManifestRequest request;
    request.set_repository(repository);
    request.set_manifest(ManifestOf(Described(kConfigType, config), {}));
    request.add_tags(tag);
    grpc::ClientContext context;
    v1::PutManifestResponse response;
    const grpc::Status status = images_->PutManifest(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.manifest().digest();
  }

  std::unique_ptr<v1::System::Stub> system_;
  std::unique_ptr<v1::Repositories::Stub> repositories_;
};

// However many ask at once, nobody is refused: they share a walk.
TEST_F(GrpcSystemTest, ManyChecksAndMeasurementsAtOnce) {
  constexpr int kCallers = 60;
  std::atomic<int> measured{0};
  std::atomic<int> checked{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      grpc::ClientContext context;
      v1::DiskUsageResponse usage;
      const grpc::Status status = system_->DiskUsage(&context, {}, &usage);
      EXPECT_TRUE(status.ok()) << status.error_message();
      measured += status.ok() ? 1 : 0;
    });
    callers.emplace_back([&] {
      grpc::ClientContext context;
      const auto reader = system_->Check(&context, {});
      v1::CheckResponse response;
      bool has_report = false;
      while (reader->Read(&response)) has_report = response.has_report();
      const grpc::Status status = reader->Finish();
      EXPECT_TRUE(status.ok()) << status.error_message();
      checked += status.ok() && has_report ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(measured, kCallers);
  EXPECT_EQ(checked, kCallers);
}

// One of several who wait for a check goes away: the others get theirs.
TEST_F(GrpcSystemTest, ACallerOfACheckThatGoesAwayTakesNobodyAlong) {
  for (int round = 0; round < 20; ++round) {
    grpc::ClientContext leaves;
    const auto gone = system_->Check(&leaves, {});
    grpc::ClientContext stays;
    const auto reader = system_->Check(&stays, {});
    leaves.TryCancel();
    v1::CheckResponse response;
    while (reader->Read(&response)) continue;
    EXPECT_TRUE(response.has_report());
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    while (gone->Read(&response)) continue;
    gone->Finish();  // OK when it was faster
  }
}

TEST_F(GrpcSystemTest, TheDaemonTellsWhatItIs) {
  Upload("", TestBytes(200'000, 1));
  grpc::ClientContext context;
  v1::InfoResponse info;
  ASSERT_TRUE(system_->Info(&context, {}, &info).ok());
  EXPECT_NE(info.version(), "");
  EXPECT_THAT(info.store_uuid(), SizeIs(36));
  EXPECT_EQ(info.format_version(), 2u);
  EXPECT_EQ(info.blob_bytes(), 200'000u);
  EXPECT_EQ(info.max_bytes(), 0u);
  EXPECT_GT(info.disk_free_bytes(), 0u);
  EXPECT_GT(info.disk_total_bytes(), info.disk_free_bytes());
  EXPECT_GE(info.started().seconds(), info.store_created().seconds());
}

TEST_F(GrpcSystemTest, TheDiskUsageIsThatOfTheStore) {
  PutImage("app", "v1");
  Upload("", TestBytes(200'000, 1));
  grpc::ClientContext context;
  v1::DiskUsageResponse usage;
  const grpc::Status status = system_->DiskUsage(&context, {}, &usage);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(usage.repositories(), 1u);
  EXPECT_EQ(usage.tags(), 1u);
  EXPECT_EQ(usage.tagged().count(), 1u);
  EXPECT_EQ(usage.dangling().count(), 0u);
  EXPECT_EQ(usage.loose().count(), 1u);
  EXPECT_EQ(usage.loose().logical_bytes(), 200'000u);
  EXPECT_GE(usage.loose().disk_bytes(), 200'000u);
  EXPECT_EQ(usage.inlined().count(), 2u);
  EXPECT_EQ(usage.unreferenced().count(), 1u);
}

TEST_F(GrpcSystemTest, RepositoriesComeInPages) {
  for (const char* name : {"a", "b/c", "d"}) PutImage(name, "v1");
  std::vector<std::string> names;
  v1::ListRepositoriesRequest request;
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListRepositoriesResponse response;
    ASSERT_TRUE(repositories_->List(&context, request, &response).ok());
    EXPECT_LE(response.repositories_size(), 2);
    for (const v1::Repository& repository : response.repositories()) {
      names.push_back(repository.name());
      EXPECT_EQ(repository.tags(), 1u);
      EXPECT_EQ(repository.manifests(), 1u);
      EXPECT_GT(repository.created().seconds(), 0);
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("a", "b/c", "d"));
}

TEST_F(GrpcSystemTest, HealthAndReflectionKnowTheServices) {
  std::string services;
  EXPECT_TRUE(CallRaw("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                      std::string("\x3a\x01*", 3), &services)
                  .ok());
  for (const std::string name : {"varve.v1.Repositories", "varve.v1.System"}) {
    EXPECT_THAT(services, HasSubstr(name));
    std::string health;
    EXPECT_TRUE(CallRaw("/grpc.health.v1.Health/Check",
                        std::string("\x0a") + static_cast<char>(name.size()) + name, &health)
                    .ok());
    EXPECT_EQ(health, "\x08\x01") << name;
  }
}

TEST_F(GrpcSystemTest, AWatcherSeesWhatHappensFromNowOn) {
  PutImage("before", "v1");
  const std::unique_ptr<Stream> stream = Watch();
  EXPECT_EQ(stream->Next(), "token");
  const std::string begin = stream->token;
  const std::string digest = PutImage("app", "v1");
  EXPECT_EQ(stream->Next(), "PUSH app:v1");
  v1::EventsRequest again;
  again.set_token(stream->token);
  EXPECT_EQ(stream->Next(), "TAG app:v1");
  {
    const std::unique_ptr<Stream> resumed = Watch(again);
    EXPECT_EQ(resumed->Next(), "token");
    EXPECT_EQ(resumed->token, again.token());
    EXPECT_EQ(resumed->Next(), "TAG app:v1");
  }
  grpc::ClientContext context;
  v1::ResolveRequest resolve;
  resolve.set_repository("app");
  resolve.set_digest(digest);
  v1::ResolveResponse response;
  ASSERT_TRUE(images_->Resolve(&context, resolve, &response).ok());
  EXPECT_EQ(stream->Next(), "PULL app");
  again.set_token(begin);
  again.set_no_follow(true);
  const std::unique_ptr<Stream> all = Watch(again);
  EXPECT_THAT(all->Rest(), ElementsAre("token", "PUSH app:v1", "TAG app:v1", "PULL app"));
  EXPECT_EQ(all->End(), grpc::StatusCode::OK);
}

TEST_F(GrpcSystemTest, WhatWasKeptIsShownFromTheOldestOn) {
  PutImage("app", "v1");
  v1::EventsRequest request;
  request.set_no_follow(true);
  EXPECT_THAT(Watch(request)->Rest(), ElementsAre("token"));
  request.set_from_oldest(true);
  EXPECT_THAT(Watch(request)->Rest(), ElementsAre("token", "PUSH app:v1", "TAG app:v1"));
  AddEvents(kMaxEvents, "many");
  const std::unique_ptr<Stream> stream = Watch(request);
  EXPECT_THAT(stream->Rest(), SizeIs(kMaxEvents + 1));
  EXPECT_EQ(stream->End(), grpc::StatusCode::OK);
}

TEST_F(GrpcSystemTest, FiltersChooseAndTheTokenGoesOnAllTheSame) {
  for (const char* name : {"a", "b"}) PutImage(name, "v1");
  v1::EventsRequest request;
  request.set_from_oldest(true);
  request.set_no_follow(true);
  request.set_repository("b");
  EXPECT_THAT(Watch(request)->Rest(), ElementsAre("token", "PUSH b:v1", "TAG b:v1"));
  request.add_types(v1::Event::TAG);
  request.add_types(v1::Event::DELETE);
  EXPECT_THAT(Watch(request)->Rest(), ElementsAre("token", "TAG b:v1"));
  request.set_repository("");
  EXPECT_THAT(Watch(request)->Rest(), ElementsAre("token", "TAG a:v1", "TAG b:v1"));
  // Who is told nothing for long would otherwise be left with a token too old to go on from.
  v1::EventsRequest quiet;
  quiet.set_repository("quiet");
  const std::unique_ptr<Stream> stream = Watch(quiet);
  EXPECT_EQ(stream->Next(), "token");
  const std::string begin = stream->token;
  AddEvents(kMaxEvents / 2, "loud");
  EXPECT_EQ(stream->Next(), "token");
  EXPECT_NE(stream->token, begin);
  AddEvents(1, "quiet");
  std::string next = stream->Next();
  while (next == "token") next = stream->Next();
  EXPECT_EQ(next, "PULL quiet");
}

TEST_F(GrpcSystemTest, WhatIsNoTokenAndWhatWasMissed) {
  v1::EventsRequest request;
  request.set_token("nonsense");
  EXPECT_EQ(EndOf(request), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_token("0000000000000001-0");
  EXPECT_EQ(EndOf(request), grpc::StatusCode::OUT_OF_RANGE) << "of another run";
  request.set_token(store_->system.events().Latest());
  EXPECT_EQ(EndOf(request), grpc::StatusCode::OK);
  AddEvents(kMaxEvents + 1, "many");
  EXPECT_EQ(EndOf(request), grpc::StatusCode::OUT_OF_RANGE);
  v1::EventsRequest unknown;
  unknown.add_types(static_cast<v1::Event::Type>(77));
  EXPECT_EQ(EndOf(unknown), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcSystemTest, AClientThatIsTooSlowIsToldThatItMissedEvents) {
  const std::unique_ptr<v1::System::Stub> slow = StubWithSmallBuffer();
  const auto stream = std::make_unique<Stream>(*slow, v1::EventsRequest());
  EXPECT_EQ(stream->Next(), "token");
  const uint64_t before = ResidentMib();
  AddEvents(8 * kMaxEvents, std::string(200, 'x'));
  EXPECT_LT(ResidentMib(), before + MemoryBound(150)) << "the ring takes 39 MB at most";
  EXPECT_LT(stream->Rest().size(), 8 * kMaxEvents);
  EXPECT_EQ(stream->End(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_THAT(stream->status.error_message(), HasSubstr("without a token"));
}

TEST_F(GrpcSystemTest, WaitingForAnEventIsNotStallingButTakingNoneIs) {
  Restart({.socket_path = socket_path_, .stall_timeout = milliseconds(200)});
  const std::unique_ptr<Stream> idle = Watch();
  EXPECT_EQ(idle->Next(), "token");
  v1::EventsRequest all;
  all.set_from_oldest(true);
  std::this_thread::sleep_for(seconds(1));
  AddEvents(1, "late");
  EXPECT_EQ(idle->Next(), "PULL late");
  AddEvents(kMaxEvents - 1, std::string(200, 'x'));
  const std::unique_ptr<v1::System::Stub> slow = StubWithSmallBuffer();
  const auto stalled = std::make_unique<Stream>(*slow, all);
  EXPECT_EQ(stalled->Next(), "token");
  std::this_thread::sleep_for(seconds(2));
  EXPECT_LT(stalled->Rest().size(), kMaxEvents);
  EXPECT_EQ(stalled->End(), grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcSystemTest, ADaemonThatStopsDoesNotWaitForWatchers) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(Watch());
    EXPECT_EQ(streams.back()->Next(), "token");
  }
  const auto begin = steady_clock::now();
  server_->Stop(seconds(30));
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
  for (const std::unique_ptr<Stream>& stream : streams) {
    EXPECT_THAT(stream->Rest(), IsEmpty());
    EXPECT_EQ(stream->End(), grpc::StatusCode::UNAVAILABLE);
  }
}

TEST_F(GrpcSystemTest, ACancelledWatcherIsGoneAtOnce) {
  for (int i = 0; i < 50; ++i) {
    const std::unique_ptr<Stream> stream = Watch();
    if (i % 2 == 0) {
      EXPECT_EQ(stream->Next(), "token");
    }
    stream->context.TryCancel();
    stream->Rest();
    EXPECT_EQ(stream->End(), grpc::StatusCode::CANCELLED);
  }
  // A server with calls in progress would use up the grace.
  const auto begin = steady_clock::now();
  server_->Stop(seconds(30));
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
}

// A watcher without a thread of its own, that counts what comes.
class CountingWatcher final : public grpc::ClientReadReactor<v1::EventsResponse> {
 public:
  CountingWatcher(v1::System::Stub& system, std::atomic<size_t>& tokens,
                  std::atomic<size_t>& events, std::atomic<size_t>& done)
      : tokens_(tokens), events_(events), done_(done) {
    system.async()->Events(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++(response_.has_event() ? events_ : tokens_);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status&) override { ++done_; }

 private:
  std::atomic<size_t>& tokens_;
  std::atomic<size_t>& events_;
  std::atomic<size_t>& done_;
  grpc::ClientContext context_;
  v1::EventsRequest request_;
  v1::EventsResponse response_;
};

TEST_F(GrpcSystemTest, ATokenThatNoListingGaveIsRefused) {
  // page_token is field 1 of each: a name with a NUL, and one longer than any key.
  const std::string with_nul(
      "\x0a\x03"
      "a\0b",
      5);
  const std::string too_long = std::string("\x0a\x81\x10") + std::string(2049, 'a');
  for (const char* service : {"Repositories", "Holds", "Leases", "Uploads"}) {
    const std::string method = std::string("/varve.v1.") + service + "/List";
    std::string response;
    EXPECT_TRUE(CallRaw(method, "", &response).ok()) << service;
    for (const std::string& request : {with_nul, too_long}) {
      const grpc::Status status = CallRaw(method, request, &response);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << service;
      EXPECT_EQ(status.error_message(), "the page token is not one that this listing gave");
    }
  }
}

TEST_F(GrpcSystemTest, AThousandWatchersHoldNoThreadAndAllAreTold) {
  constexpr size_t kWatchers = 1000;
  std::atomic<size_t> tokens{0};
  std::atomic<size_t> events{0};
  std::atomic<size_t> done{0};
  std::vector<std::unique_ptr<CountingWatcher>> watchers;
  for (size_t i = 0; i < kWatchers; ++i) {
    watchers.push_back(std::make_unique<CountingWatcher>(*system_, tokens, events, done));
  }
  EXPECT_TRUE(Eventually([&] { return tokens == kWatchers; }, seconds(60))) << tokens;
  EXPECT_LT(StatusField("Threads"), 150u);
  const auto begin = steady_clock::now();
  AddEvents(1, "app");
  const auto added = steady_clock::now() - begin;
  EXPECT_LT(added, milliseconds(100)) << "the one who adds does not wait for those who watch";
  EXPECT_TRUE(Eventually([&] { return events == kWatchers; }, seconds(60))) << events;
  PutImage("app", "v1");
  EXPECT_TRUE(Eventually([&] { return events == 3 * kWatchers; }, seconds(60))) << events;
  for (const auto& watcher : watchers) watcher->Cancel();
  EXPECT_TRUE(Eventually([&] { return done == kWatchers; }, seconds(60))) << done;
}

}  // namespace
}  // namespace varve
