// The native door against clients that mean harm or are broken: each gets an error or is dropped,
// the others are served, and memory, threads and descriptors stay bounded.
#include <google/protobuf/descriptor.h>

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"
#include "tests/daemon/grpc/http2_connection.h"
#include "tests/support/process_use.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Http2 = Http2Connection;

// The library's threads open descriptors of their own when they first wait.
constexpr size_t kPollers = 4;

constexpr char kStat[] = "/varve.v1.Blobs/Stat";
constexpr char kWrite[] = "/varve.v1.Blobs/Write";
constexpr char kRead[] = "/varve.v1.Blobs/Read";
constexpr char kReflect[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

class GrpcHostileTest : public GrpcDoorTest {
 protected:
  void SetUp() override {
    RaiseDescriptorLimit();
    ASSERT_NO_FATAL_FAILURE(GrpcDoorTest::SetUp());
    ExpectServed();  // everything that is made once is made
    descriptors_ = OpenDescriptors();
    resident_mib_ = ResidentMib();
  }

  // A well-behaved client gets its answers, soon.
  void ExpectServed() {
    const auto started = steady_clock::now();
    const std::string bytes = TestBytes(kMiB, 7);
    EXPECT_TRUE(Read(Upload("", bytes)).bytes == bytes);
    EXPECT_LT(steady_clock::now() - started, seconds(10));
  }

  // After the hostile client has gone.
  void ExpectNothingLeft(uint64_t mib) {
    ExpectServed();
    EXPECT_TRUE(Eventually([this] { return OpenDescriptors() <= descriptors_ + kPollers; }))
        << OpenDescriptors() << " descriptors, " << descriptors_ << " before";
    const uint64_t most = resident_mib_ + MemoryBound(mib);
    // The library ends the calls of a connection that is gone by and by, however slow the host.
    EXPECT_TRUE(Eventually([most] { return ResidentMib() < most; }, seconds(60)))
        << ResidentMib() << " MiB, " << most << " allowed";
  }

  size_t descriptors_ = 0;
  uint64_t resident_mib_ = 0;
};

TEST_F(GrpcHostileTest, BytesThatAreNotHttp2EndTheConnection) {
  const std::string garbage[] = {
      TestBytes(100'000, 1), "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + TestBytes(100'000, 2),
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + TestBytes(500, 3),
      Http2::Preface() + std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9)};
  for (const std::string& bytes : garbage) {
    Http2 connection(socket_path_);
    ASSERT_TRUE(connection.connected());
    static_cast<void>(connection.Send(bytes));
    EXPECT_TRUE(connection.WaitForClose(seconds(5))) << testing::PrintToString(bytes.substr(0, 40));
  }
  {
    // Headers that cannot be decoded need end no more than their stream.
    Http2 connection(socket_path_);
    EXPECT_TRUE(connection.Send(Http2::Preface() + Http2::Frame(Http2::kHeaders, Http2::kEndHeaders,
                                                                1, TestBytes(200, 4))));
    ExpectServed();
  }
  ExpectNothingLeft(32);
}

TEST_F(GrpcHostileTest, AThousandConnectionsThatSayNothingHoldNobodyUp) {
  {
    std::vector<std::unique_ptr<Http2>> connections;
    for (int i = 0; i < 1000; ++i) {
      connections.push_back(std::make_unique<Http2>(socket_path_));
      ASSERT_TRUE(connections.back()->connected()) << i;
      if (i % 2 == 0) {
        ASSERT_TRUE(connections.back()->Send(Http2::Preface()));
      }
    }
    ExpectServed();
    EXPECT_LT(StatusField("Threads"), 200u);
  }
  ExpectNothingLeft(128);
}

TEST_F(GrpcHostileTest, RapidResetsAreSurvived) {
  // What ended calls take is used again: after some rounds it does not grow any more. (The library
  // and the allocator keep some 9 kB of each call that was open at the same time.)
  for (int round = 0; round < 8; ++round) {
    Http2 connection(socket_path_);
    ASSERT_TRUE(connection.Send(Http2::Preface()));
    uint32_t stream = 1;
    for (int batch = 0; batch < 100; ++batch) {
      std::string frames;
      for (const char* path : {kStat, kWrite, kRead}) {
        for (int i = 0; i < 20; ++i, stream += 2) {
          frames +=
              Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream, Http2::CallHeaders(path));
          frames += Http2::Frame(Http2::kReset, 0, stream, std::string("\0\0\0\x08", 4));
        }
      }
      if (!connection.Send(frames)) break;  // to be dropped is an answer
    }
    ExpectServed();
    if (round == 3) resident_mib_ = ResidentMib();
  }
  ExpectNothingLeft(96);
}

TEST_F(GrpcHostileTest, FloodsOfPingsAndSettingsAreCutOffOrSlowedDown) {
  const std::string frames[] = {
      Http2::Frame(Http2::kPing, 0, 0, "12345678"), Http2::Frame(Http2::kSettings, 0, 0, ""),
      Http2::Frame(Http2::kSettings, 0, 0, std::string("\0\x04\0\0\xff\xff", 6))};
  for (const std::string& frame : frames) {
    for (const bool read_too : {true, false}) {
      Http2 connection(socket_path_);
      ASSERT_TRUE(connection.Send(Http2::Preface()));
      std::string flood;
      for (int i = 0; i < 1000; ++i) flood += frame;
      for (int i = 0; i < 200; ++i) {
        if (!connection.Send(flood, read_too, milliseconds(500))) break;
      }
      ExpectServed();
    }
  }
  ExpectNothingLeft(64);
}

TEST_F(GrpcHostileTest, AMessageThatClaimsFourGigabytesIsRefused) {
  {
    Http2 connection(socket_path_);
    ASSERT_TRUE(connection.Send(Http2::Preface()));
    uint32_t stream = 1;
    for (const char* path : {kStat, kWrite, kRead}) {
      const std::string claim("\0\xff\xff\xff\xff", 5);
      EXPECT_TRUE(connection.Send(
          Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream, Http2::CallHeaders(path)) +
          Http2::Frame(Http2::kData, Http2::kNone, stream, claim + std::string(1000, 'x'))));
      stream += 2;
    }
    ExpectServed();
  }
  ExpectNothingLeft(32);
}

TEST_F(GrpcHostileTest, CallsWithoutTheirMessageAreErrors) {
  // Half-closed without a message, for a unary call and for both kinds of stream.
  for (const char* method : {kStat, kWrite, kRead}) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    call->WritesDone(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    call->Finish(&status, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_FALSE(status.ok()) << method;
    EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << method;
  }
  ExpectNothingLeft(32);
}

// Every method there is, unary or streaming, found in the descriptors: also those to come.
TEST_F(GrpcHostileTest, BytesThatAreNoProtobufAreAnInvalidArgumentThatSaysSo) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  int methods = 0;
  int streams = 0;
  for (const char* name :
       {"Blobs", "Holds", "Images", "Leases", "Repositories", "System", "Uploads"}) {
    const auto* service = pool->FindServiceByName(StrCat("varve.v1.", name));
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      streams += method.client_streaming() || method.server_streaming() ? 1 : 0;
      ++methods;
      for (const std::string& bytes : {std::string("\xff\xff"), TestBytes(100'000, 5)}) {
        std::string response;
        const grpc::Status status =
            CallRaw(StrCat("/", service->full_name(), "/", method.name()), bytes, &response);
        EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method.full_name();
        EXPECT_THAT(status.error_message(), testing::HasSubstr(method.input_type()->full_name()));
      }
    }
  }
  EXPECT_GE(methods, 42);
  EXPECT_GE(streams, 6);
  ExpectNothingLeft(32);
}

TEST_F(GrpcHostileTest, ThousandsOfCallsWhoseMessageNeverComesAreCheap) {
  {
    Http2 connection(socket_path_);
    ASSERT_TRUE(connection.Send(Http2::Preface()));
    for (uint32_t stream = 1; stream < 2 * 3000; stream += 2) {
      ASSERT_TRUE(
          connection.Send(Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream,
                                       Http2::CallHeaders(stream % 4 == 1 ? kStat : kWrite))));
    }
    ExpectServed();
    EXPECT_LT(ResidentMib(), resident_mib_ + MemoryBound(128));
    EXPECT_LT(StatusField("Threads"), 200u);
  }
  ExpectNothingLeft(128);
}

// A read of the whole blob, whose client gives no room for more than the first 64 KiB.
std::string ReadThatTakesNothing(uint32_t stream, const std::string& digest) {
  v1::ReadRequest request;
  request.set_digest(digest);
  const std::string message = request.SerializeAsString();
  const std::string length{'\0', '\0', '\0', '\0', static_cast<char>(message.size())};
  return Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream, Http2::CallHeaders(kRead)) +
         Http2::Frame(Http2::kData, Http2::kEndStream, stream, length + message);
}

TEST_F(GrpcHostileTest, ThousandsOfReadsThatTakeNothingHoldLittleMemory) {
  const std::string digest = Upload("", TestBytes(8 * kMiB, 3));
  {
    std::vector<std::unique_ptr<Http2>> connections;
    for (int i = 0; i < 3; ++i) {
      connections.push_back(std::make_unique<Http2>(socket_path_));
      ASSERT_TRUE(connections.back()->Send(Http2::Preface()));
      for (uint32_t stream = 1; stream < 2 * 1000; stream += 2) {
        ASSERT_TRUE(connections.back()->Send(ReadThatTakesNothing(stream, digest)));
      }
      ExpectServed();
    }
    // 256 MiB of messages, as much again for those that were cut off and are being given back, and
    // for what the library has of each call; two messages of 1 MiB each would be 6,000.
    EXPECT_LT(ResidentMib(), resident_mib_ + MemoryBound(2 * 256));
    EXPECT_LT(StatusField("Threads"), 200u);
  }
  ExpectNothingLeft(128);
}

TEST_F(GrpcHostileTest, AReadThatIsNotTakenGivesBackWhatWasReadAhead) {
  const std::string digest = Upload("", TestBytes(8 * kMiB, 3));
  Http2 connection(socket_path_);
  ASSERT_TRUE(connection.Send(Http2::Preface()));
  for (uint32_t stream = 1; stream < 2 * 60; stream += 2) {
    ASSERT_TRUE(connection.Send(ReadThatTakesNothing(stream, digest)));
  }
  // Two messages of 1 MiB each; then one, and 16 that are kept for the next reads.
  EXPECT_TRUE(Eventually([this] { return ResidentMib() > resident_mib_ + 100; }));
  EXPECT_TRUE(Eventually([this] { return ResidentMib() < resident_mib_ + 100; }, seconds(30)));
  ExpectServed();
}

TEST_F(GrpcHostileTest, ManyIdleReflectionStreamsTakeNoThreadFromTheOthers) {
  {
    Http2 connection(socket_path_);
    ASSERT_TRUE(connection.Send(Http2::Preface()));
    for (uint32_t stream = 1; stream < 2 * 200; stream += 2) {
      ASSERT_TRUE(connection.Send(
          Http2::Frame(Http2::kHeaders, Http2::kEndHeaders, stream, Http2::CallHeaders(kReflect))));
    }
    ExpectServed();
    EXPECT_LT(StatusField("Threads"), 200u);
  }
  ExpectNothingLeft(64);
}

TEST_F(GrpcHostileTest, CompressedMessagesAreRefused) {
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::StatBlobRequest request;
    request.set_digest(std::string(8 * kMiB, '0'));
    v1::StatBlobResponse response;
    EXPECT_EQ(blobs_->Stat(&context, request, &response).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
  }
  ExpectNothingLeft(64);
}

TEST_F(GrpcHostileTest, HugeFieldsAreRefusedWithAShortMessage) {
  const std::string huge(kMiB, 'x');
  const std::pair<const char*, grpc::Status> statuses[] = {
      {"Stat digest", Stat(huge)},
      {"Stat repository", Stat(DigestOf("x"), huge)},
      {"Read digest", Read(huge).status},
      {"Write id", Write({Header(huge, 0)}).status},
      {"Commit digest", Write({Header("up", 0), Data("x"), Commit(huge)}).status}};
  for (const auto& [what, status] : statuses) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << what;
    EXPECT_LE(status.error_message().size(), 1024u) << what;
  }
  EXPECT_EQ(WriteStatus(huge).status.error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  v1::FindMissingRequest request;
  request.add_digests(huge);
  v1::FindMissingResponse response;
  EXPECT_EQ(blobs_->FindMissing(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  ExpectNothingLeft(64);
}

TEST_F(GrpcHostileTest, MetadataHasALimit) {
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", std::string(kMiB, 'x'));
  v1::StatBlobRequest request;
  request.set_digest(DigestOf("x"));
  v1::StatBlobResponse response;
  EXPECT_EQ(blobs_->Stat(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectNothingLeft(32);
}

// Any message may stand at any place of a stream; what comes out is an answer, soon.
TEST_F(GrpcHostileTest, RandomMessagesInRandomOrderAreAnswered) {
  uint32_t state = 20261123;
  const auto random = [&state](uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<v1::WriteRequest> messages;
    for (uint32_t i = random(6); i > 0; --i) {
      switch (random(5)) {
        case 0:
          messages.push_back(Header("r" + std::to_string(random(5)), random(3) * 100));
          break;
        case 1:
          messages.push_back(Header("", random(2)));
          messages.back().mutable_header()->set_size_bytes(random(3) * 100);
          break;
        case 2:
          messages.push_back(Data(TestBytes(random(3) * 100, 1)));
          break;
        case 3:
          messages.push_back(Commit(DigestOf(TestBytes(random(3) * 100, 1))));
          break;
        default:
          messages.emplace_back();
      }
    }
    const grpc::StatusCode code = Write(messages).status.error_code();
    EXPECT_NE(code, grpc::StatusCode::INTERNAL);
    EXPECT_NE(code, grpc::StatusCode::UNKNOWN);
  }
  ExpectNothingLeft(32);
}

}  // namespace
}  // namespace varve
