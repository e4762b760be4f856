export DEBIAN_FRONTEND=noninteractive ASSUME_ALWAYS_YES=yes
if command -v apt-get; then apt-get update && apt-get install -y tmux
elif command -v dnf; then dnf install -y tmux
elif command -v yum; then yum install -y tmux
elif command -v apk; then apk add --no-cache tmux
elif command -v pacman; then pacman -Sy --noconfirm tmux
elif command -v zypper; then zypper --non-interactive install tmux
elif command -v pkg; then pkg install tmux
else echo "no package manager found" && exit 1
fi
