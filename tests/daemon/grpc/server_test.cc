// The native door as a server: its socket, health, reflection, stalled and hostile clients,
// stopping.
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

#include "daemon/grpc/call_record.h"
#include "daemon/unix_socket.h"
#include "gmock/gmock.h"
#include "storage/api/blobs.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// HealthCheckRequest{service = name} as bytes.
std::string HealthRequest(const std::string& name) {
  return name.empty() ? "" : std::string("\x0a") + static_cast<char>(name.size()) + name;
}

class GrpcServerTest : public GrpcDoorTest {
 protected:
  grpc::StatusCode StartOnSamePath() {
    return static_cast<grpc::StatusCode>(
        GrpcServer::Start(*store_, {.socket_path = socket_path_}).status().raw_code());
  }
};

TEST_F(GrpcServerTest, HealthIsServingForTheServerAndEachService) {
  for (const char* name : {"", "varve.v1.Blobs", "varve.v1.Images"}) {
    std::string response;
    const grpc::Status status =
        CallRaw("/grpc.health.v1.Health/Check", HealthRequest(name), &response);
    EXPECT_TRUE(status.ok()) << name << ": " << status.error_message();
    EXPECT_EQ(response, "\x08\x01") << name;  // status = SERVING
  }
  std::string response;
  EXPECT_EQ(CallRaw("/grpc.health.v1.Health/Check", HealthRequest("nope"), &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, ReflectionListsTheServicesAndDescribesThem) {
  constexpr char kMethod[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  std::string services;
  EXPECT_TRUE(CallRaw(kMethod, std::string("\x3a\x01*", 3), &services).ok());  // list_services
  EXPECT_THAT(services, HasSubstr("varve.v1.Blobs"));
  EXPECT_THAT(services, HasSubstr("varve.v1.Images"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
  std::string file;
  const std::string symbol = "varve.v1.Blobs";
  EXPECT_TRUE(
      CallRaw(kMethod, std::string("\x22") + static_cast<char>(symbol.size()) + symbol, &file)
          .ok());  // file_containing_symbol
  EXPECT_THAT(file, HasSubstr("FindMissing"));
}

TEST_F(GrpcServerTest, TheSocketIsForItsOwnerAndGroup) {
  struct stat info {};
  ASSERT_EQ(stat(socket_path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0660u);
  EXPECT_FALSE(std::filesystem::exists(socket_path_ + ".new"));
}

TEST_F(GrpcServerTest, ALivingSocketIsLeftAlone) {
  const auto second = GrpcServer::Start(*store_, {.socket_path = socket_path_});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(socket_path_));
  EXPECT_EQ(Stat(DigestOf("x")).error_code(), grpc::StatusCode::NOT_FOUND) << "the first serves on";
}

TEST_F(GrpcServerTest, ASocketOfADeadDaemonIsReplaced) {
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(socket_path_)) << "a stopped server removes its socket";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_EQ(StartOnSamePath(), grpc::StatusCode::UNAVAILABLE) << "somebody listens";
  close(fd);
  ASSERT_NO_FATAL_FAILURE(StartServer({.socket_path = socket_path_}));
  EXPECT_EQ(Stat(DigestOf("x")).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, WhatIsNoSocketIsNotReplaced) {
  server_.reset();
  std::ofstream(socket_path_) << "precious";
  EXPECT_EQ(StartOnSamePath(), grpc::StatusCode::INVALID_ARGUMENT);
  std::string kept;
  std::ifstream(socket_path_) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST_F(GrpcServerTest, ALinkThatTakesThePlaceOfTheSocketIsNotFollowed) {
  const std::string path = directory_ + "/other";
  const std::string precious = directory_ + "/precious";
  std::ofstream(precious) << "x";
  ASSERT_EQ(chmod(precious.c_str(), 0600), 0);
  std::filesystem::create_symlink(precious, UnpublishedSocketPath(path));
  const auto published = PublishSocket(path);
  EXPECT_EQ(published.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(published.status().message()), HasSubstr("somebody else"));
  struct stat info {};
  ASSERT_EQ(stat(precious.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(GrpcServerTest, ImpossiblePathsAreRefusedWithASentence) {
  const auto start = [this](const std::string& path) {
    return GrpcServer::Start(*store_, {.socket_path = path}).status();
  };
  EXPECT_EQ(start("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start("/tmp/" + std::string(120, 'x')).code(), absl::StatusCode::kInvalidArgument);
  const absl::Status missing = start(directory_ + "/none/none/s");
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(missing.message()), HasSubstr(directory_ + "/none/none of the socket"));
}

TEST_F(GrpcServerTest, TheDirectoryOfTheSocketIsMade) {
  ASSERT_NO_FATAL_FAILURE(StartServer({.socket_path = directory_ + "/run/s"}));
  struct stat info {};
  ASSERT_EQ(stat((directory_ + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0750u & info.st_mode);
}

// A group that every Debian has and that is not the one new files get.
constexpr char kOtherGroup[] = "games";

TEST_F(GrpcServerTest, TheSocketAndItsNewDirectoryAreForTheGroup) {
  const struct group* const other = getgrnam(kOtherGroup);
  if (geteuid() != 0 || other == nullptr) GTEST_SKIP() << "needs root and the group games";
  ASSERT_NO_FATAL_FAILURE(
      StartServer({.socket_path = directory_ + "/run/s", .socket_group = kOtherGroup}));
  for (const char* path : {"/run", "/run/s"}) {
    struct stat info {};
    ASSERT_EQ(stat((directory_ + path).c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_gid, other->gr_gid) << path;
  }
}

TEST_F(GrpcServerTest, AGroupThatIsNotThereOrNotOursIsNoObstacle) {
  EXPECT_TRUE(GiveToGroup(socket_path_, "no-such-group").ok());
  if (geteuid() != 0 || getgrnam(kOtherGroup) == nullptr) {
    GTEST_SKIP() << "needs root, to become somebody who may not, and the group games";
  }
  ASSERT_EQ(chown(directory_.c_str(), 65534, 65534), 0);
  // In a child, which alone gives up its rights.
  const pid_t child = fork();
  if (child == 0) {
    const std::string path = directory_ + "/mine";
    bool told = setgid(65534) == 0 && setuid(65534) == 0 && mkdir(path.c_str(), 0700) == 0;
    const absl::Status status = GiveToGroup(path, kOtherGroup);
    told = told && absl::IsPermissionDenied(status) &&
           status.message().find("add its user") != absl::string_view::npos;
    _exit(told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(GrpcServerTest, TcpIsServedWhenAskedFor) {
  EXPECT_EQ(server_->port(), 0) << "off by default";
  for (const char* host : {"127.0.0.1", "::1"}) {
    ASSERT_NO_FATAL_FAILURE(
        StartServer({.socket_path = socket_path_, .listen = ListenAddress{host, 0, true}}));
    ASSERT_GT(server_->port(), 0);
    const std::string port = std::to_string(server_->port());
    const std::string address = std::string(host) == "::1" ? "[::1]:" + port : "127.0.0.1:" + port;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    const auto channel =
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    grpc::ClientContext context;
    v1::StatBlobRequest request;
    request.set_digest(Upload("", "over both"));
    v1::StatBlobResponse response;
    EXPECT_TRUE(v1::Blobs::NewStub(channel)->Stat(&context, request, &response).ok()) << address;
  }
}

TEST_F(GrpcServerTest, ATcpPortInUseIsNamed) {
  ASSERT_NO_FATAL_FAILURE(
      StartServer({.socket_path = socket_path_, .listen = ListenAddress{"127.0.0.1", 0, true}}));
  const auto port = static_cast<uint16_t>(server_->port());
  const std::string other = directory_ + "/other";
  const absl::Status second =
      GrpcServer::Start(*store_,
                        {.socket_path = other, .listen = ListenAddress{"127.0.0.1", port, true}})
          .status();
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.message()),
              testing::AllOf(HasSubstr("127.0.0.1:" + std::to_string(port)),
                             HasSubstr("Address already in use"), HasSubstr("--grpc")));
  EXPECT_FALSE(std::filesystem::exists(other)) << "nothing is left of the socket";
  EXPECT_FALSE(std::filesystem::exists(other + ".new"));
  EXPECT_EQ(Stat(DigestOf("x")).error_code(), grpc::StatusCode::NOT_FOUND) << "the first serves on";
}

TEST_F(GrpcServerTest, AStalledWriteIsEndedAndItsUploadKept) {
  ASSERT_NO_FATAL_FAILURE(
      StartServer({.socket_path = socket_path_, .stall_timeout = milliseconds(300)}));
  grpc::ClientContext context;
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  ASSERT_TRUE(stream->Write(Header("up", 0)));
  ASSERT_TRUE(stream->Write(Data("12345")));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(WriteStatus("up").offset, 5u);
}

TEST_F(GrpcServerTest, AStalledReadIsEnded) {
  const std::string digest = Upload("", TestBytes(32 * kMiB, 1));
  ASSERT_NO_FATAL_FAILURE(
      StartServer({.socket_path = socket_path_, .stall_timeout = milliseconds(300)}));
  grpc::ClientContext context;
  v1::ReadRequest request;
  request.set_digest(digest);
  const auto stream = blobs_->Read(&context, request);
  v1::ReadResponse response;
  ASSERT_TRUE(stream->Read(&response));
  std::this_thread::sleep_for(milliseconds(1500));
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcServerTest, AThousandIdleStreamsHoldNobodyUp) {
  constexpr size_t kStreams = 1000;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::WriteResponse> responses(kStreams);
  std::vector<WriteStream> streams;
  for (size_t i = 0; i < kStreams; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(blobs_->Write(contexts.back().get(), &responses[i]));
    ASSERT_TRUE(streams.back()->Write(Header("idle-" + std::to_string(i), 0)));
  }
  const auto started = steady_clock::now();
  const std::string bytes = TestBytes(kMiB, 7);
  EXPECT_EQ(Read(Upload("", bytes)).bytes, bytes);
  EXPECT_LT(steady_clock::now() - started, std::chrono::seconds(5));
  for (size_t i = 0; i < kStreams; ++i) contexts[i]->TryCancel();
  for (size_t i = 0; i < kStreams; ++i) {
    EXPECT_EQ(streams[i]->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(GrpcServerTest, GarbageIsAnsweredWithAnError) {
  const std::string garbage[] = {std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11),
                                 std::string("\x0a\xff\xff\xff\x7f", 5),
                                 std::string("\x0a\x03\xc3\x28\x00", 5), TestBytes(100'000, 8)};
  for (const char* method :
       {"Blobs/Stat", "Blobs/FindMissing", "Blobs/Write", "Blobs/WriteStatus", "Blobs/Abort",
        "Blobs/Read", "Images/PutManifest", "Images/Resolve", "Images/Tag", "Images/Untag"}) {
    for (const std::string& request : garbage) {
      std::string response;
      EXPECT_FALSE(CallRaw(std::string("/varve.v1.") + method, request, &response).ok()) << method;
    }
  }
  std::string response;
  for (const std::string method : {"/varve.v1.Blobs/Nope", "/varve.v2.Blobs/Stat", "/", "/a"}) {
    const grpc::Status unknown = CallRaw(method, "", &response);
    EXPECT_EQ(unknown.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(unknown.error_message(), testing::HasSubstr("has no method " + method + ";"));
  }
  EXPECT_LT(CallRaw("/" + std::string(4000, 'x'), "", &response).error_message().size(), 300u);
  EXPECT_EQ(Stat(DigestOf("x")).error_code(), grpc::StatusCode::NOT_FOUND) << "it serves on";
}

TEST_F(GrpcServerTest, HostileFieldsAreInvalid) {
  for (const std::string& repository :
       {std::string("../etc"), std::string("/a"), std::string("a//b"), std::string("UPPER"),
        std::string("a\0b", 3), std::string(300, 'a'), std::string("a/../b")}) {
    EXPECT_EQ(Stat(DigestOf("x"), repository).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << repository;
    v1::WriteRequest header = Header("up", 0);
    header.mutable_header()->set_repository(repository);
    EXPECT_EQ(Write({header, Data("x"), Commit(DigestOf("x"))}).status.error_code(),
              grpc::StatusCode::INVALID_ARGUMENT)
        << repository;
  }
  for (const std::string& digest : {std::string(), std::string("sha256:"), std::string("md5:00"),
                                    DigestOf("x") + "0", std::string(100'000, 'x')}) {
    EXPECT_EQ(Stat(digest).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(Read(digest).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  for (const std::string& id : {std::string("../x"), std::string("a b"), std::string(129, 'a'),
                                std::string("a\nb"), std::string("\0", 1)}) {
    EXPECT_EQ(Write({Header(id, 0), Data("x")}).status.error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
    // No upload has such an id.
    EXPECT_EQ(WriteStatus(id).status.error_code(), grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(GrpcServerTest, ARequestIdComesBackAndABadOneIsReplaced) {
  const auto id_of_call = [this](const std::string& sent) {
    grpc::ClientContext context;
    context.AddMetadata("x-request-id", sent);
    v1::StatBlobRequest request;
    request.set_digest(DigestOf("x"));
    v1::StatBlobResponse response;
    static_cast<void>(blobs_->Stat(&context, request, &response));
    const auto& metadata = context.GetServerTrailingMetadata();
    const auto found = metadata.find("x-request-id");
    return found == metadata.end() ? std::string()
                                   : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(id_of_call("ci-job-7"), "ci-job-7");
  EXPECT_THAT(id_of_call("forged line=1"), testing::MatchesRegex("[0-9a-f]{16}"));
}

TEST_F(GrpcServerTest, TheLogSaysWhoCalled) {
  testing::internal::CaptureStderr();
  Upload("app", "logged");
  server_->Stop(milliseconds(1000));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(" client=unix user_agent=\"grpc-c++/"));
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.1:50000"), "10.0.0.1");
  EXPECT_EQ(AddressOfPeer("ipv6:%5B::1%5D:50000"), "::1");
  EXPECT_EQ(AddressOfPeer("ipv6:[fe80::1]:50000"), "fe80::1");
  EXPECT_EQ(AddressOfPeer("unix:/run/varve/varve.sock"), "unix");
  EXPECT_EQ(AddressOfPeer("unix:"), "unix");
  EXPECT_EQ(AddressOfPeer(""), "unix");
}

TEST_F(GrpcServerTest, StopLetsARunningUploadFinish) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  ASSERT_TRUE(stream->Write(Header("up", 0)));
  ASSERT_TRUE(stream->Write(Data("12345")));
  // Only when the server has the stream can it drain it.
  while (WriteStatus("up").status.error_code() == grpc::StatusCode::NOT_FOUND) {
  }
  std::future<void> stopped =
      std::async(std::launch::async, [this] { server_->Stop(milliseconds(20'000)); });
  while (std::filesystem::exists(socket_path_)) std::this_thread::sleep_for(milliseconds(5));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_FALSE(Stat(DigestOf("x")).ok()) << "no new call is taken";
  ASSERT_TRUE(stream->Write(Commit(DigestOf("12345"))));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  stopped.get();
  EXPECT_TRUE(store_->blobs.StatBlob("", Sha256Of("12345")).ok());
}

TEST_F(GrpcServerTest, StopCutsOffWhatOutlastsItsGrace) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  ASSERT_TRUE(stream->Write(Header("up", 0)));
  ASSERT_TRUE(stream->Write(Data("12345")));
  while (WriteStatus("up").status.error_code() == grpc::StatusCode::NOT_FOUND) {
  }
  const auto started = steady_clock::now();
  server_->Stop(milliseconds(200));
  EXPECT_LT(steady_clock::now() - started, std::chrono::seconds(5));
  EXPECT_FALSE(stream->Finish().ok());
  ASSERT_NO_FATAL_FAILURE(StartServer({.socket_path = socket_path_}));
  EXPECT_EQ(WriteStatus("up").offset, 5u) << "the upload can be resumed";
}

}  // namespace
}  // namespace varve
