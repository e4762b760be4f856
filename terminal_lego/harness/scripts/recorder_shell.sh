ASCIINEMA_REC=1 bash
printf 'asciinema: %s\n' 'recording finished' 'asciicast saved to /logs/agent/recording.cast'
