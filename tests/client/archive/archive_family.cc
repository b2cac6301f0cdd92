#include "tests/client/archive/archive_family.h"

#include <algorithm>

namespace varve {
namespace {

constexpr char kEmptyType[] = "application/vnd.oci.empty.v1+json";

std::string Quote(const std::string& text) { return "\"" + text + "\""; }

std::string QuoteAll(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(Quote(text));
  return "[" + Join(quoted) + "]";
}

}  // namespace

ArchiveFamily::ArchiveFamily(uint64_t seed, uint64_t number)
    : random_(seed * 1'000'003 + number), number_(number) {}

FamilyArchive ArchiveFamily::Make() {
  switch (Below(8)) {
    case 0:
    case 1:
    case 2:
      MakeDockerArchive();
      break;
    case 3:
    case 4:
      MakeLayout(true);
      break;
    case 5:
    case 6:
      MakeLayout(false);
      break;
    default:
      MakeWhatIsNone();
  }
  MutateEntries();
  std::string bytes = MutateBytes(Tar(entries_));
  return {.story = std::to_string(number_) + ":" + story_, .bytes = std::move(bytes)};
}

std::string ArchiveFamily::Bytes(size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random_() >> 32);
  return bytes;
}

ArchiveFamily::Layer ArchiveFamily::MakeLayer() {
  if (!bases_.empty() && Chance(40)) return Pick(bases_);
  Layer layer;
  // None, some, and more than the store keeps in its index.
  const size_t size = Pick<size_t>({0, 100, 3000, 90'000});
  if (Chance(95)) {
    layer.tar = Tar({{.name = "f" + std::to_string(Below(1'000'000)), .bytes = Bytes(size)}});
  } else {
    layer.tar = Bytes(size + 10);
    Tell("layer-that-is-no-tar");
  }
  const std::string filter = Pick<std::string>({"", "", "", "gzip", "gzip", "zstd", "xz", "bzip2"});
  layer.stored = filter.empty() ? layer.tar : Compress(layer.tar, filter.c_str());
  if (!filter.empty()) {
    layer.suffix = "+" + filter;
    Tell(filter);
  }
  bases_.push_back(layer);
  return layer;
}

ArchiveFamily::Image ArchiveFamily::MakeImage(const std::string& architecture) {
  Image image;
  std::vector<std::string> diff_ids;
  std::vector<std::string> descriptors;
  for (uint64_t count = 1 + Below(3); count > 0; --count) {
    image.layers.push_back(MakeLayer());
    const Layer& layer = image.layers.back();
    diff_ids.push_back("sha256:" + Sha256Hex(layer.tar));
    descriptors.push_back(Described(kLayerType + layer.suffix, layer.stored));
  }
  if (Chance(4)) {
    Tell("wrong-diff-id");
    diff_ids.back() = "sha256:" + Sha256Hex("other");
  }
  if (Chance(4)) {
    Tell("too-few-diff-ids");
    diff_ids.pop_back();
  }
  image.config = "{\"architecture\":\"" + architecture +
                 "\",\"os\":\"linux\",\"number\":" + std::to_string(Below(1'000'000'000)) +
                 ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":" + QuoteAll(diff_ids) + "}}";
  if (Chance(5)) {
    Tell("empty-urls");
    descriptors.back().insert(descriptors.back().size() - 1, ",\"urls\":[]");
  }
  if (Chance(5)) {
    Tell("no-layers-in-manifest");  // as Docker 25.0.0 writes it
    descriptors.clear();
  }
  image.manifest = ManifestOf(Described(kConfigType, image.config), descriptors);
  image.platform = ",\"platform\":{\"architecture\":\"" + architecture + "\",\"os\":\"linux\"}";
  return image;
}

std::vector<std::string> ArchiveFamily::MakeNames() {
  const std::string own = std::to_string(number_);
  const std::vector<std::string> pool = {"app" + own + ":1",
                                         "app" + own + ":2",
                                         "team/app" + own + ":v2",
                                         "docker.io/library/deb" + own + ":12",
                                         "index.docker.io/me/app" + own,
                                         "localhost/x/y" + own + ":1",
                                         "reg-a:5000/col" + own + ":1",
                                         "reg-b:5000/col" + own + ":1",
                                         "MyHost.Local/app" + own + ":1",
                                         "quay.io/a/b" + own,
                                         "app" + own + "@sha256:" + std::string(64, 'a'),
                                         "sha256:" + std::string(64, 'b'),
                                         "UPPER" + own + ":1",
                                         "[::1]:5000/six" + own + ":1"};
  std::vector<std::string> names;
  for (uint64_t count = Pick<uint64_t>({0, 1, 1, 1, 1, 2, 3}); count > 0; --count) {
    names.push_back(Chance(60) ? pool[Below(5)] : Pick(pool));
    Tell(names.back());
  }
  return names;
}

std::string ArchiveFamily::DockerEntry(const std::string& config,
                                       const std::vector<std::string>& layers,
                                       const std::vector<std::string>& names) {
  return "{\"Config\":" + Quote(config) +
         ",\"RepoTags\":" + (names.empty() ? "null" : QuoteAll(names)) +
         ",\"Layers\":" + QuoteAll(layers) + "}";
}

// What docker before 25, podman, crane and others write: they differ in what they call things.
void ArchiveFamily::MakeDockerArchive() {
  enum class Writer { kDocker, kPodman, kCrane, kPlain };
  const Writer writer =
      Pick<Writer>({Writer::kDocker, Writer::kPodman, Writer::kCrane, Writer::kPlain});
  Tell(std::vector<std::string>{"docker", "podman", "crane", "plain"}[static_cast<size_t>(writer)]);
  std::vector<std::string> images;
  for (uint64_t count = 1 + Below(3); count > 0; --count) {
    const Image image = MakeImage("amd64");
    std::vector<std::string> layers;
    for (const Layer& layer : image.layers) {
      std::string name = Sha256Hex(layer.tar) + ".tar";
      if (writer == Writer::kDocker) name = Sha256Hex(Bytes(8)) + "/layer.tar";
      if (writer == Writer::kCrane) name = Sha256Hex(layer.stored) + ".tar.gz";
      if (writer == Writer::kPlain) name = "layers/" + std::to_string(Below(1'000'000));
      layers.push_back(name);
      const auto same = [&](const TestEntry& entry) { return entry.name == name; };
      // crane writes a layer that two images share twice.
      if (writer == Writer::kCrane || std::none_of(entries_.begin(), entries_.end(), same)) {
        entries_.push_back({.name = name, .bytes = layer.stored});
      }
    }
    std::string config = Sha256Hex(image.config) + ".json";
    if (writer == Writer::kCrane) config = "sha256:" + Sha256Hex(image.config);
    if (writer == Writer::kPlain) config = "config" + std::to_string(count);
    entries_.push_back({.name = config, .bytes = image.config});
    images.push_back(DockerEntry(config, layers, MakeNames()));
  }
  entries_.push_back({.name = "manifest.json", .bytes = "[" + Join(images) + "]"});
}

void ArchiveFamily::AddImageBlobs(const Image& image) {
  for (const Layer& layer : image.layers) entries_.push_back(BlobEntry(layer.stored));
  entries_.push_back(BlobEntry(image.config));
  entries_.push_back(BlobEntry(image.manifest));
}

ArchiveFamily::Top ArchiveFamily::MakeIndex() {
  Tell("index");
  std::vector<std::string> children;
  for (const char* const architecture : {"amd64", "arm64", "s390x"}) {
    if (Chance(30)) continue;
    const Image image = MakeImage(architecture);
    children.push_back(Described(kManifestType, image.manifest, image.platform));
    if (Chance(75)) {
      AddImageBlobs(image);
    } else {
      Tell("absent-child");
      if (Chance(50)) entries_.push_back(BlobEntry(image.manifest));
    }
    if (Chance(20)) AddReferrers(kManifestType, image.manifest, 1);
  }
  if (Chance(40)) {
    Tell("attestation");
    const Image attestation = MakeImage("unknown");
    children.push_back(
        Described(kManifestType, attestation.manifest,
                  ",\"platform\":{\"architecture\":\"unknown\",\"os\":\"unknown\"}" +
                      Annotated("vnd.docker.reference.type", "attestation-manifest")));
    if (Chance(50)) AddImageBlobs(attestation);
  }
  std::string bytes = IndexOf(children);
  if (Chance(20)) {
    Tell("nested");
    entries_.push_back(BlobEntry(bytes));
    bytes = IndexOf({Described(kIndexType, bytes)});
  }
  return {.type = kIndexType, .bytes = bytes, .names = {}};
}

void ArchiveFamily::AddReferrers(const std::string& subject_type, const std::string& subject,
                                 int depth) {
  Tell("referrer");
  const std::string layer = Bytes(50);
  const std::string manifest =
      std::string("{\"schemaVersion\":2,\"mediaType\":\"") + kManifestType +
      "\",\"artifactType\":\"application/x\",\"config\":" + Described(kEmptyType, "{}") +
      ",\"layers\":[" + Described("application/x", layer) +
      "],\"subject\":" + Described(subject_type, subject) + "}";
  entries_.push_back(BlobEntry("{}"));
  entries_.push_back(BlobEntry(layer));
  entries_.push_back(BlobEntry(manifest));
  Top top{.type = kManifestType, .bytes = manifest, .names = {}};
  if (Chance(25)) top.names = {"sha256-" + Sha256Hex(subject) + ".sig"};
  if (Chance(10)) top.names = {"signatures" + std::to_string(number_) + ":1"};
  tops_.insert(tops_.begin() + static_cast<std::ptrdiff_t>(Below(tops_.size() + 1)), top);
  if (depth > 0 && Chance(50)) AddReferrers(kManifestType, manifest, depth - 1);
}

std::string ArchiveFamily::LayoutEntry(const Top& top, const std::string& name) {
  if (name.empty()) return Described(top.type, top.bytes);
  if (name.find(':') == std::string::npos) return Described(top.type, top.bytes, RefNamed(name));
  switch (Below(4)) {
    case 0:
      return Described(top.type, top.bytes, RefNamed(name));
    case 1:  // as skopeo writes it: only the tag
      return Described(top.type, top.bytes, RefNamed(name.substr(name.rfind(':') + 1)));
    default:
      return Described(top.type, top.bytes, Named(name));
  }
}

void ArchiveFamily::MakeLayout(bool with_docker_manifest) {
  Tell(with_docker_manifest ? "layout+docker" : "layout");
  std::vector<std::string> docker;
  for (uint64_t count = 1 + Below(3); count > 0; --count) {
    if (Chance(30)) {
      Top top = MakeIndex();
      top.names = MakeNames();
      entries_.push_back(BlobEntry(top.bytes));
      if (Chance(25)) AddReferrers(kIndexType, top.bytes, 2);
      tops_.push_back(std::move(top));
      continue;
    }
    const Image image = MakeImage("amd64");
    AddImageBlobs(image);
    std::vector<std::string> layers;
    for (const Layer& layer : image.layers) layers.push_back(BlobEntry(layer.stored).name);
    Top top{.type = kManifestType, .bytes = image.manifest, .names = MakeNames()};
    if (with_docker_manifest && Chance(90)) {
      docker.push_back(DockerEntry(BlobEntry(image.config).name, layers, top.names));
    }
    if (Chance(25)) AddReferrers(kManifestType, image.manifest, 2);
    tops_.push_back(std::move(top));
  }
  std::vector<std::string> listed;
  for (const Top& top : tops_) {
    if (top.names.empty()) listed.push_back(LayoutEntry(top, ""));
    for (const std::string& name : top.names) listed.push_back(LayoutEntry(top, name));
  }
  // Blobs that images share come once.
  std::vector<TestEntry> once;
  for (TestEntry& entry : entries_) {
    const auto same = [&](const TestEntry& other) { return other.name == entry.name; };
    if (std::none_of(once.begin(), once.end(), same)) once.push_back(std::move(entry));
  }
  entries_ = Layout(std::move(once), listed);
  if (with_docker_manifest) {
    entries_.push_back({.name = "manifest.json", .bytes = "[" + Join(docker) + "]"});
  }
}

void ArchiveFamily::MakeWhatIsNone() {
  switch (Below(4)) {
    case 0: {
      Tell("before-docker-1.10");
      const std::string id(64, 'a');
      entries_ = {{.name = id + "/VERSION", .bytes = "1.0"},
                  {.name = id + "/json", .bytes = "{\"id\":\"" + id + "\"}"},
                  {.name = id + "/layer.tar", .bytes = Tar({{.name = "f", .bytes = Bytes(10)}})},
                  {.name = "repositories", .bytes = "{\"old\":{\"1\":\"" + id + "\"}}"}};
      return;
    }
    case 1:
      Tell("rootfs");
      for (const char* const name : {"etc/hosts", "bin/sh", "usr/share/doc/a.gz", "etc/a.json"}) {
        entries_.push_back({.name = name, .bytes = Bytes(Below(5000))});
      }
      return;
    case 2:
      Tell("no-image");
      entries_ = Layout({}, {});
      return;
    default:
      Tell("index-without-blobs");
      entries_ = Layout({}, {Described(kManifestType, Bytes(100), Named("app:1"))});
  }
}

}  // namespace varve
