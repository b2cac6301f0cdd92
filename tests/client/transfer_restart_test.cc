// Transfers while a real daemon is killed and started again, or their client is killed: they go on
// where they stood, and memory stays flat. Up to 768 MiB a transfer; with VARVE_LONG in the
// environment 10 GiB.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>

#include "client/client.h"
#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/support/process_use.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/varved_process.h"

namespace varve {
namespace {

using std::chrono::milliseconds;

// What may be on its way between a client and the disk of the daemon.
constexpr uint64_t kInFlightBytes = 16 * kMiB;

bool Long() { return std::getenv("VARVE_LONG") != nullptr; }

// Byte `offset` of an input of any size that is nowhere stored: the words of 8 bytes all differ.
void FillInput(uint64_t offset, char* out, size_t length) {
  for (size_t i = 0; i < length;) {
    const uint64_t at = offset + i;
    const uint64_t word = (at / 8 + 1) * 0x9e3779b97f4a7c15u;
    const size_t skip = at % 8;
    const size_t bytes = std::min(length - i, 8 - skip);
    std::memcpy(out + i, reinterpret_cast<const char*>(&word) + skip, bytes);
    i += bytes;
  }
}

uint64_t PeakMib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<uint64_t>(use.ru_maxrss) / 1024;
}

class TransferRestartTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("VARVE_SERVER_DRAIN_TIMEOUT", "0s", 1);  // a stop cuts transfers off
    daemon_.emplace(directory_);
    ASSERT_TRUE(daemon_->Start());
    ClientOptions options;
    options.attempts = 10;  // a sanitizer's daemon starts slowly
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(daemon_->address(), options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  // Ends the daemon by `signal` and starts it again, from the thread of the transfer, each time
  // that has come so far. The client must find out by itself.
  std::function<void(uint64_t)> RestartAt(std::vector<uint64_t> offsets, int signal) {
    return [this, offsets, signal, next = size_t{0}](uint64_t at) mutable {
      EXPECT_GE(at, progress_) << "progress goes back";
      progress_ = at;
      if (next == offsets.size() || at < offsets[next]) return;
      ++next;
      daemon_->End(signal);
      ++restarts_;
      EXPECT_TRUE(daemon_->Start());
    };
  }

  std::vector<uint64_t> Fifths() const {
    return {size_ / 5, size_ / 5 * 2, size_ / 5 * 3, size_ / 5 * 4, size_};
  }

  // Takes bytes that must be the input, in order, each once.
  ByteSink CompareWithInput() {
    return [this, expected = std::string()](std::string_view bytes) mutable {
      expected.resize(bytes.size());
      FillInput(compared_bytes_, expected.data(), expected.size());
      compared_bytes_ += bytes.size();
      return bytes == expected ? absl::OkStatus() : absl::DataLossError("repeated or other bytes");
    };
  }

  // Uploads the input, counting the bytes taken from it.
  absl::StatusOr<BlobInfo> PutInput(const std::function<void(uint64_t)>& progress) {
    ByteSource source(
        [this](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
          const auto length = static_cast<size_t>(std::min<uint64_t>(limit, size_ - offset));
          FillInput(offset, out, length);
          taken_bytes_ += length;
          return length;
        },
        size_);
    PutBlobOptions options;
    options.progress = progress;
    return client_->PutBlob(source, options);
  }

  const TemporaryDirectory scratch_;
  const std::string directory_ = scratch_.path();
  std::optional<VarvedProcess> daemon_;
  std::unique_ptr<Client> client_;
  uint64_t size_ = Long() ? 10 * 1024 * kMiB : 256 * kMiB;
  uint64_t progress_ = 0;
  uint64_t compared_bytes_ = 0;
  uint64_t restarts_ = 0;
  uint64_t taken_bytes_ = 0;
};

TEST_F(TransferRestartTest, AnUploadSurvivesKillsOfTheDaemonWithoutStartingAgain) {
  if (!Long()) size_ = 3 * kUploadCheckpointBytes;
  const uint64_t peak_mib = PeakMib();
  const absl::StatusOr<BlobInfo> blob = PutInput(RestartAt(Fifths(), SIGKILL));
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(blob->size_bytes, size_);
  EXPECT_EQ(restarts_, 5u);
  EXPECT_EQ(progress_, size_);
  // Only what came after the last saved state was sent a second time.
  uint64_t at_most = size_;
  for (const uint64_t kill : Fifths()) {
    at_most += (kill - 1) % kUploadCheckpointBytes + 1 + kInFlightBytes;
  }
  EXPECT_LE(taken_bytes_, at_most);
  EXPECT_LT(PeakMib(), peak_mib + MemoryBound(128)) << "memory of the client";
  EXPECT_LT(daemon_->StatusField("VmHWM"), MemoryBound(512) * 1024) << "memory of the daemon";
  EXPECT_TRUE(client_->GetBlob(blob->digest, CompareWithInput(), {}).ok());
  EXPECT_EQ(compared_bytes_, size_);
  EXPECT_EQ(daemon_->End(SIGTERM), 0);
}

TEST_F(TransferRestartTest, AnUploadSurvivesStopsOfTheDaemonWithoutRepeatingBytes) {
  const absl::StatusOr<BlobInfo> blob = PutInput(RestartAt(Fifths(), SIGTERM));
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(restarts_, 5u);
  EXPECT_LE(taken_bytes_, size_ + restarts_ * kInFlightBytes);
}

TEST_F(TransferRestartTest, ADownloadSurvivesKillsOfTheDaemonWithoutRepeatingBytes) {
  const absl::StatusOr<BlobInfo> blob = PutInput({});
  ASSERT_TRUE(blob.ok()) << blob.status();
  const uint64_t peak_mib = PeakMib();
  std::vector<uint64_t> kills = Fifths();
  kills.pop_back();  // at its end there is nothing left to go on with
  GetBlobOptions options;
  options.progress = RestartAt(kills, SIGKILL);
  const absl::StatusOr<BlobInfo> got = client_->GetBlob(blob->digest, CompareWithInput(), options);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(restarts_, kills.size());
  EXPECT_EQ(compared_bytes_, size_);
  EXPECT_EQ(progress_, size_);
  EXPECT_LT(PeakMib(), peak_mib + 64) << "memory of the client";
}

TEST_F(TransferRestartTest, ADaemonThatStaysAwayIsGivenUp) {
  ClientOptions options;
  options.attempts = 3;
  options.first_wait = milliseconds(20);
  client_ = *Client::Connect(daemon_->address(), options);
  const auto kill = [this](uint64_t at) {
    if (at >= 16 * kMiB) daemon_->End(SIGKILL);
  };
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(PutInput(kill).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

TEST_F(TransferRestartTest, AnInputThatFailsEndsTheUpload) {
  bool cancelled = false;
  ByteSource source(
      [&cancelled](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
        if (cancelled) return absl::CancelledError("enough");
        FillInput(offset, out, limit);
        return limit;
      },
      size_);
  PutBlobOptions options;
  options.upload_id = "cancelled";
  options.progress = [&cancelled](uint64_t at) { cancelled = at >= 32 * kMiB; };
  EXPECT_EQ(client_->PutBlob(source, options).status().code(), absl::StatusCode::kCancelled);
  // It can be resumed: the bytes are taken from where it stopped.
  uint64_t first = 0;
  ByteSource again(
      [this, &first](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
        if (first == 0) first = offset;
        const auto length = static_cast<size_t>(std::min<uint64_t>(limit, size_ - offset));
        FillInput(offset, out, length);
        return length;
      },
      size_);
  uint64_t reported = 0;
  options.progress = [&reported](uint64_t at) {
    if (reported == 0) reported = at;
  };
  ASSERT_TRUE(client_->PutBlob(again, options).ok());
  EXPECT_GT(reported, 16 * kMiB) << "not sent again";
}

TEST_F(TransferRestartTest, AClientKilledAtAnyPointLeavesAnUploadThatGoesOn) {
  const std::string path = directory_ + "/input";
  {
    std::ofstream file(path, std::ios::binary);
    std::string piece(kMiB, '\0');
    for (uint64_t offset = 0; offset < 256 * kMiB; offset += piece.size()) {
      FillInput(offset, piece.data(), piece.size());
      file << piece;
    }
  }
  const auto put = [&] {
    return Spawn({VARVE_BINARY, "--address", daemon_->address(), "blob", "put", path},
                 directory_ + "/digest", directory_ + "/errors");
  };
  const size_t descriptors = daemon_->OpenDescriptors();
  std::minstd_rand random(20261123);
  constexpr int kKills = 12;
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    const pid_t child = put();
    ASSERT_GT(child, 0);
    std::this_thread::sleep_for(milliseconds(5 + random() % 150));
    const int status = EndProcess(child, SIGKILL);
    if (WIFSIGNALED(status)) ++killed;
  }
  const pid_t last = put();
  ASSERT_GT(last, 0);
  int status = 0;
  waitpid(last, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_GT(killed, 0);
  std::string printed;
  std::ifstream(directory_ + "/digest") >> printed;
  const absl::StatusOr<Digest> digest = Digest::Parse(printed);
  ASSERT_TRUE(digest.ok()) << printed;
  EXPECT_TRUE(client_->StatBlob("", *digest).ok());
  for (int i = 0; i < 500 && daemon_->OpenDescriptors() > descriptors + 1; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  // One more: the connection of this test's own client.
  EXPECT_LE(daemon_->OpenDescriptors(), descriptors + 1);
  EXPECT_EQ(daemon_->End(SIGTERM), 0);
  // Nothing that the daemon had was sent again; only what was on its way was lost.
  EXPECT_LE(daemon_->LoggedBytes("Blobs.Write"), 256 * kMiB + kKills * 16 * kMiB);
}

}  // namespace
}  // namespace varve
