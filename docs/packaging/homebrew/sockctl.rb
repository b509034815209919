# A Homebrew formula: brew install --build-from-source ./sockctl.rb, with the address and sum of a released archive.
class Sockctl < Formula
  desc "Be any TCP, UDP, Unix-socket or TLS peer"
  homepage "https://example.org/sockctl"
  url "https://example.org/sockctl/sockctl-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "ISC"

  depends_on "openssl@3"

  def install
    openssl = Formula["openssl@3"]
    system "make", "install", "PREFIX=#{prefix}", "TLS=yes", "CPPFLAGS=-I#{openssl.opt_include}",
           "LDFLAGS=-Wl,-rpath,#{openssl.opt_lib}",
           "BASHCOMPDIR=#{bash_completion}", "ZSHCOMPDIR=#{zsh_completion}", "FISHCOMPDIR=#{fish_completion}"
  end

  test do
    run = "echo hola | #{bin}/sockctl connect 127.0.0.1 $SOCKCTL_PORT"
    assert_match "hola", shell_output("#{bin}/sockctl echo 127.0.0.1:0 --lifetime 10s --run '#{run}' 2>/dev/null")
  end
end
